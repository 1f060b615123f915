package peer;

import java.security.GeneralSecurityException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import javax.xml.crypto.MarshalException;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignatureException;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.ExcC14NParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.namespace.QName;
import org.apache.cxf.binding.soap.SoapHeader;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** ITI-40: who asks and what for, as a signed SAML 2.0 assertion in a WS-Security header. */
final class Xua {
    private static final String SAML = "urn:oasis:names:tc:SAML:2.0:assertion";
    private static final String WSSE =
            "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    private static final String DSIG_MORE = "http://www.w3.org/2001/04/xmldsig-more#";
    private static final String HL7 = "urn:hl7-org:v3";
    private static final String XSI = "http://www.w3.org/2001/XMLSchema-instance";
    private static final String XS = "http://www.w3.org/2001/XMLSchema";
    private static final String XMLNS = "http://www.w3.org/2000/xmlns/";

    private Xua() {}

    /** What one assertion says; {@code patient} may be null. */
    record Claim(String audience, String organisation, Demo.Id patient) {
        static Claim of(Demo demo) {
            return new Claim(demo.homeUrn(), "urn:oid:" + Demo.NEIGHBOUR, null);
        }

        Claim audience(String other) {
            return new Claim(other, organisation, patient);
        }

        Claim about(Demo.Id other) {
            return new Claim(audience, organisation, other);
        }
    }

    /** The SOAP header, marked mustUnderstand, with an assertion signed by {@code signer}. */
    static SoapHeader header(Claim claim, Pem.Identity signer) throws GeneralSecurityException {
        var document = Xml.empty();
        var security = document.createElementNS(WSSE, "wsse:Security");
        security.setAttributeNS(XMLNS, "xmlns:wsse", WSSE);
        document.appendChild(security);
        var assertion = assertion(document, security, claim);
        sign(assertion, signer);
        var header = new SoapHeader(new QName(WSSE, "Security"), security);
        header.setMustUnderstand(true);
        return header;
    }

    private static Element assertion(Document document, Element security, Claim claim) {
        var now = Instant.now().truncatedTo(ChronoUnit.SECONDS);
        var assertion = document.createElementNS(SAML, "saml2:Assertion");
        security.appendChild(assertion);
        assertion.setAttributeNS(XMLNS, "xmlns:saml2", SAML);
        assertion.setAttributeNS(XMLNS, "xmlns:xs", XS);
        assertion.setAttributeNS(XMLNS, "xmlns:xsi", XSI);
        assertion.setAttribute("ID", "_" + UUID.randomUUID());
        assertion.setIdAttribute("ID", true);
        assertion.setAttribute("IssueInstant", now.toString());
        assertion.setAttribute("Version", "2.0");
        saml(assertion, "Issuer").setTextContent("urn:oid:" + Demo.NEIGHBOUR);

        var subject = saml(assertion, "Subject");
        var name = saml(subject, "NameID");
        name.setAttribute("Format", "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName");
        name.setTextContent("CN=Dr Neighbour,O=Neighbour Hospital");
        saml(subject, "SubjectConfirmation").setAttribute("Method", "urn:oasis:names:tc:SAML:2.0:cm:bearer");

        var conditions = saml(assertion, "Conditions");
        conditions.setAttribute("NotBefore", now.minusSeconds(60).toString());
        conditions.setAttribute("NotOnOrAfter", now.plusSeconds(300).toString());
        saml(saml(conditions, "AudienceRestriction"), "Audience").setTextContent(claim.audience());

        var statement = saml(assertion, "AuthnStatement");
        statement.setAttribute("AuthnInstant", now.toString());
        saml(saml(statement, "AuthnContext"), "AuthnContextClassRef")
                .setTextContent("urn:oasis:names:tc:SAML:2.0:ac:classes:X509");

        var attributes = saml(assertion, "AttributeStatement");
        text(attributes, "urn:oasis:names:tc:xspa:1.0:subject:subject-id", "Dr Neighbour");
        text(attributes, "urn:oasis:names:tc:xspa:1.0:subject:organization", "Neighbour Hospital");
        text(attributes, "urn:oasis:names:tc:xspa:1.0:subject:organization-id", claim.organisation());
        text(attributes, "urn:ihe:iti:xca:2010:homeCommunityId", claim.organisation());
        coded(attributes, "urn:oasis:names:tc:xacml:2.0:subject:role", "Role",
                "112247003", "2.16.840.1.113883.6.96", "Medical doctor");
        coded(attributes, "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse", "PurposeOfUse",
                "TREATMENT", "2.16.840.1.113883.3.18.7.1", "Treatment");
        if (claim.patient() != null) {
            text(attributes, "urn:oasis:names:tc:xacml:2.0:resource:resource-id", claim.patient().cx());
        }
        return assertion;
    }

    /** Enveloped signature, exclusive C14N; {@code xs} is named because {@code xsi:type} values use it. */
    private static void sign(Element assertion, Pem.Identity signer) throws GeneralSecurityException {
        var factory = XMLSignatureFactory.getInstance("DOM");
        var transforms = new ArrayList<Transform>();
        transforms.add(factory.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null));
        transforms.add(factory.newTransform(CanonicalizationMethod.EXCLUSIVE, new ExcC14NParameterSpec(List.of("xs"))));
        var reference = factory.newReference("#" + assertion.getAttribute("ID"),
                factory.newDigestMethod(DigestMethod.SHA256, null), transforms, null, null);
        var algorithm = DSIG_MORE + ("EC".equals(signer.key().getAlgorithm()) ? "ecdsa-sha256" : "rsa-sha256");
        var info = factory.newSignedInfo(
                factory.newCanonicalizationMethod(CanonicalizationMethod.EXCLUSIVE, (C14NMethodParameterSpec) null),
                factory.newSignatureMethod(algorithm, null), List.of(reference));
        var keys = factory.getKeyInfoFactory();
        var keyInfo = keys.newKeyInfo(List.of(keys.newX509Data(List.of(signer.chain().get(0)))));
        var place = new DOMSignContext(signer.key(), assertion, assertion.getElementsByTagNameNS(SAML, "Subject").item(0));
        place.setDefaultNamespacePrefix("ds");
        try {
            factory.newXMLSignature(info, keyInfo).sign(place);
        } catch (MarshalException | XMLSignatureException error) {
            throw new GeneralSecurityException("cannot sign the assertion", error);
        }
    }

    private static Element saml(Element parent, String name) {
        return (Element) parent.appendChild(parent.getOwnerDocument().createElementNS(SAML, "saml2:" + name));
    }

    private static Element value(Element statement, String name) {
        var attribute = saml(statement, "Attribute");
        attribute.setAttribute("Name", name);
        attribute.setAttribute("NameFormat", "urn:oasis:names:tc:SAML:2.0:attrname-format:uri");
        return saml(attribute, "AttributeValue");
    }

    private static void text(Element statement, String name, String text) {
        var value = value(statement, name);
        value.setAttributeNS(XSI, "xsi:type", "xs:string");
        value.setTextContent(text);
    }

    private static void coded(Element statement, String name, String tag, String code, String system, String display) {
        var value = value(statement, name);
        var coded = (Element) value.appendChild(value.getOwnerDocument().createElementNS(HL7, tag));
        coded.setAttributeNS(XMLNS, "xmlns", HL7);
        coded.setAttributeNS(XSI, "xsi:type", "CE");
        coded.setAttribute("code", code);
        coded.setAttribute("codeSystem", system);
        coded.setAttribute("displayName", display);
    }
}
