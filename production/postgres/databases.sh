#!/bin/sh
# One database and one account for each hospital on this server; neither can open the other's.
# PostgreSQL's image runs this once, when its folder is empty.
set -eu
for hospital in a b; do
  psql --set ON_ERROR_STOP=1 --username postgres --dbname postgres <<SQL
\\set password \`cat /run/secrets/hospital-$hospital-database-password\`
CREATE ROLE hospital_$hospital LOGIN PASSWORD :'password';
CREATE DATABASE hospital_$hospital OWNER hospital_$hospital;
REVOKE ALL ON DATABASE hospital_$hospital FROM PUBLIC;
SQL
done
