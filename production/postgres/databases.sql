-- One database for each hospital that keeps its rows on this server.
CREATE DATABASE hospital_a;
CREATE DATABASE hospital_b;
