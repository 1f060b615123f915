"""Names and algorithms of XMLDSig and XAdES that are on the list; nothing else is processed."""

DS = "{http://www.w3.org/2000/09/xmldsig#}"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
XADES141 = "{http://uri.etsi.org/01903/v1.4.1#}"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE_10 = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
INCLUSIVE_11 = "http://www.w3.org/2006/12/xml-c14n11"
COMMENTED = {
    f"{EXCLUSIVE}WithComments": EXCLUSIVE,
    f"{INCLUSIVE_10}#WithComments": INCLUSIVE_10,
    f"{INCLUSIVE_11}#WithComments": INCLUSIVE_11,
}
"With comments, where there are any; a reference within the document has none (XMLDSig 4.4.3.3)."
CANONICAL = frozenset({EXCLUSIVE, INCLUSIVE_10, INCLUSIVE_11, *COMMENTED})
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
BASE64 = "http://www.w3.org/2000/09/xmldsig#base64"
FILTER2 = "http://www.w3.org/2002/06/xmldsig-filter2"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
PROPERTIES = "http://uri.etsi.org/01903#SignedProperties"
MANIFEST = "http://www.w3.org/2000/09/xmldsig#Manifest"
COUNTERSIGNED = "http://uri.etsi.org/01903#CountersignedSignature"
DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
SIGNATURES = {
    **{
        f"http://www.w3.org/2001/04/xmldsig-more#rsa-{digest}": ("rsassa_pkcs1v15", digest)
        for digest in ("sha256", "sha384", "sha512")
    },
    **{
        f"http://www.w3.org/2007/05/xmldsig-more#{digest}-rsa-MGF1": ("rsassa_pss", digest)
        for digest in ("sha256", "sha384", "sha512")
    },
    **{
        f"http://www.w3.org/2001/04/xmldsig-more#ecdsa-{digest}": ("ecdsa", digest)
        for digest in ("sha256", "sha384", "sha512")
    },
}
SECTION = "XMLDSig 4.4"
