"""
Starting, stopping and describing a chain of one's own.

    engine = find_engine("anvil")
    profile = engine.up(Path(".demo/chain"), NetworkOptions())
    ...
    engine.down(Path(".demo/chain"))

Three engines stand behind one protocol, `Engine`: Anvil for development, go-ethereum with
Clique for a consortium on one machine, Besu with QBFT for production. What differs
afterwards is in the profile that they write, and nowhere else.
"""
