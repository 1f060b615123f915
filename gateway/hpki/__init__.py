"""Who signed this document, and may they? Pure: bytes, trust and revocation lists are handed in.

`verify.verify` is the one entry; `trust.shipped` is the trust that comes with the product.
"""
