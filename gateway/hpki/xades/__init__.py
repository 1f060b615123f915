"""XML signatures: XMLDSig under a strict profile, with the properties of XAdES.

`reader.open_signatures` is the one entry. `places` says where signatures may stand, `references`
what they may sign and how it is digested, `core` does the cryptography, `unsigned` and `archive`
read what was added after signing. The tree is parsed once; what callers use afterwards is the
bytes that were digested, never a second search in the tree (G2, J-06).
"""
