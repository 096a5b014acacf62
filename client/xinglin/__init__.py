"""
Xinglin 杏林: sealed medical records that anyone concerned can verify.

The library has four verbs and the nouns that they speak of:

* `xinglin.seal` encrypts a record to named recipients, and opens it;
* `xinglin.anchor` commits a log's checkpoint to the chain, and fetches what proves it;
* `xinglin.consent` gives, witnesses and revokes grants;
* `xinglin.verify` checks a bundle against a trust root, and believes nobody else.

Sealing needs no network and no chain:

>>> import io, uuid
>>> from xinglin import keys, seal
>>> alice = keys.HpkeIdentity.generate()
>>> sealed, opened = io.BytesIO(), io.BytesIO()
>>> record = uuid.uuid4()
>>> blob, envelope = seal.seal(
...     io.BytesIO("头痛三天".encode()), sealed,
...     recipients=[alice.recipient], record=record, version=1,
... )
>>> _ = sealed.seek(0)
>>> seal.open(sealed, opened, envelope=envelope, identity=alice, record=record, version=1)
>>> opened.getvalue().decode()
'头痛三天'

Importing this package is cheap: it loads neither web3 nor the node nor a model.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
