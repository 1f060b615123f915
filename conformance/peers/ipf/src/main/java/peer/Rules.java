package peer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.xml.crypto.MarshalException;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureException;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.namespace.QName;
import org.apache.camel.Message;
import org.apache.camel.Processor;
import org.apache.cxf.binding.soap.Soap12;
import org.apache.cxf.binding.soap.SoapFault;
import org.apache.cxf.headers.Header;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssigningAuthority;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.requests.DocumentReference;
import org.openehealth.ipf.commons.ihe.xds.core.requests.ProvideAndRegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.QueryRegistry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RetrieveDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.QueryReturnType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.ObjectReference;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.StoredQuery;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorCode;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorInfo;
import org.openehealth.ipf.commons.ihe.xds.core.responses.QueryResponse;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Response;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Severity;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;
import org.w3c.dom.Element;

/** Answers out of {@code demo.json} the way a gateway should: what the self-test runs the clients against. */
final class Rules implements Responder.Answers {
    private static final String WSSE =
            "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    private static final String PARAMETERS = "controlActProcess/queryByParameter/parameterList/";
    private static final String LOCATION = "/PRPA_IN201309UV02/" + PARAMETERS;

    private final Demo demo;
    private final int faultStatus;
    private final X509Certificate issuer;
    private final Set<Demo.Id> fed = ConcurrentHashMap.newKeySet();
    private final Map<String, DocumentEntry> provided = new ConcurrentHashMap<>();

    Rules(Demo demo, int faultStatus) throws Exception {
        this.demo = demo;
        this.faultStatus = faultStatus;
        issuer = Pem.certificates(demo.folder().resolve("pki/xua/neighbour-n.pem")).get(0);
    }

    @Override
    public Processor to(Transaction transaction) {
        return exchange -> {
            var in = exchange.getIn();
            if (transaction.asserted()) {
                requireAssertion(in);
            }
            exchange.getMessage().setBody(switch (transaction) {
                case ITI_44 -> feed(Answer.to(in.getBody(String.class)));
                case ITI_45 -> resolve(Answer.to(in.getBody(String.class)));
                case ITI_55 -> discover(Answer.to(in.getBody(String.class)));
                case ITI_38 -> query(in.getBody(QueryRegistry.class));
                case ITI_39 -> retrieve(in.getBody(RetrieveDocumentSet.class));
                case ITI_41 -> provide(in.getBody(ProvideAndRegisterDocumentSet.class));
            });
        };
    }

    private String feed(Answer answer) {
        var event = "controlActProcess/subject/registrationEvent/";
        var ids = new ArrayList<Demo.Id>();
        for (var path : List.of("subject1/patient/id",
                "replacementOf/priorRegistration/subject1/priorRegisteredRole/id")) {
            Xml.all(answer.request(), event + path).forEach(id -> ids.add(id(id)));
        }
        var own = demo.facility("hospital-a").domain();
        if (!ids.stream().allMatch(id -> id.domain().equals(own))) {
            return answer.accept("CE", "not a domain of this facility");
        }
        fed.addAll(ids);
        return answer.accept("CA", null);
    }

    private String resolve(Answer answer) throws Exception {
        var asked = id(Xml.one(answer.request(), PARAMETERS + "patientIdentifier/value"));
        var domains = Xml.all(answer.request(), PARAMETERS + "dataSource/value").stream()
                .map(value -> value.getAttribute("root")).toList();
        var known = demo.facilities().stream().map(Demo.Facility::domain).toList();
        for (int at = 0; at < domains.size(); at++) {
            if (!known.contains(domains.get(at))) {
                return answer.unknown(LOCATION + "dataSource[" + (at + 1) + "]/value");
            }
        }
        var person = demo.patients().stream().filter(patient -> patient.ids().contains(asked)).findFirst();
        if (person.isEmpty()) {
            return fed.contains(asked) ? answer.identifiers(List.of())
                    : answer.unknown(LOCATION + "patientIdentifier/value");
        }
        return answer.identifiers(person.get().ids().stream().filter(id -> !id.equals(asked))
                .filter(id -> domains.isEmpty() || domains.contains(id.domain())).toList());
    }

    private String discover(Answer answer) throws Exception {
        var name = PARAMETERS + "livingSubjectName/value/";
        var family = Xml.text(answer.request(), name + "family");
        var birth = Xml.attribute(answer.request(), PARAMETERS + "livingSubjectBirthTime/value", "value");
        for (var patient : demo.patients()) {
            if (patient.label().equals("A") && patient.name().family().equals(family) && patient.birthTime().equals(birth)) {
                return answer.match(demo.home(), patient.id(Demo.SHARED_ID_DOMAIN), patient);
            }
        }
        return answer.noMatch(demo.home());
    }

    private QueryResponse query(QueryRegistry request) {
        var query = (StoredQuery) request.getQuery();
        if (query.getHomeCommunityId() != null && !query.getHomeCommunityId().equals(demo.homeUrn())) {
            var failure = new QueryResponse(Status.FAILURE);
            failure.getErrors().add(error(ErrorCode.UNKNOWN_COMMUNITY, query.getHomeCommunityId()));
            return failure;
        }
        var patient = demo.patient("A");
        var shared = patient.id(Demo.SHARED_ID_DOMAIN);
        var answer = new QueryResponse(Status.SUCCESS);
        int number = 0;
        for (var document : patient.documents()) {
            var entry = Canned.entry(demo, shared, document, ++number);
            if (!wanted(query, entry)) {
                continue;
            }
            if (request.getReturnType() == QueryReturnType.LEAF_CLASS) {
                answer.getDocumentEntries().add(entry);
            } else {
                answer.getReferences().add(new ObjectReference(entry.getEntryUuid(), demo.homeUrn()));
            }
        }
        for (var entry : provided.values()) {
            if (request.getReturnType() == QueryReturnType.LEAF_CLASS && wanted(query, entry)) {
                answer.getDocumentEntries().add(entry);
            }
        }
        return answer;
    }

    /** One submission is taken whole or not at all. */
    private synchronized Response provide(ProvideAndRegisterDocumentSet request) throws Exception {
        var own = demo.patient("A").id(demo.facility("hospital-a").domain());
        for (var document : request.getDocuments()) {
            var entry = document.getDocumentEntry();
            var hash = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1")
                    .digest(document.getDataHandler().getInputStream().readAllBytes()));
            var known = provided.get(entry.getUniqueId());
            if (!entry.getPatientId().equals(new Identifiable(own.value(), new AssigningAuthority(own.domain())))) {
                return refused(ErrorCode.UNKNOWN_PATIENT_ID);
            } else if (entry.getHash() != null && !hash.equalsIgnoreCase(entry.getHash())) {
                return refused(ErrorCode.REPOSITORY_METADATA_ERROR);
            } else if (known != null && !hash.equalsIgnoreCase(known.getHash())) {
                return refused(ErrorCode.NON_IDENTICAL_HASH);
            } else if (entry.getTypeCode().equals(ProvideCases.PRESCRIPTION)) {
                return refused(ErrorCode.INVALID_DOCUMENT_CONTENT);
            }
        }
        for (var association : request.getAssociations()) {
            if (association.getAssociationType() == AssociationType.REPLACE) {
                var old = provided.values().stream()
                        .filter(entry -> entry.getEntryUuid().equals(association.getTargetUuid())).findFirst();
                if (old.isEmpty()) {
                    return refused(ErrorCode.UNRESOLVED_REFERENCE_EXCEPTION);
                } else if (old.get().getAvailabilityStatus() == AvailabilityStatus.DEPRECATED) {
                    return refused(ErrorCode.REGISTRY_DEPRECATED_DOCUMENT_ERROR);
                }
                old.get().setAvailabilityStatus(AvailabilityStatus.DEPRECATED);
            }
        }
        for (var document : request.getDocuments()) {
            var entry = document.getDocumentEntry();
            var shared = demo.patient("A").id(Demo.SHARED_ID_DOMAIN);
            entry.setPatientId(new Identifiable(shared.value(), new AssigningAuthority(shared.domain())));
            entry.setHomeCommunityId(demo.homeUrn());
            entry.setRepositoryUniqueId(demo.repository());
            provided.putIfAbsent(entry.getUniqueId(), entry);
        }
        return new Response(Status.SUCCESS);
    }

    private Response refused(ErrorCode code) {
        var failure = new Response(Status.FAILURE);
        failure.getErrors().add(error(code, "refused"));
        return failure;
    }

    private static boolean wanted(StoredQuery query, DocumentEntry entry) {
        if (query instanceof FindDocumentsQuery find) {
            return find.getPatientId().equals(entry.getPatientId());
        }
        var get = (GetDocumentsQuery) query;
        return get.getUuids() != null && get.getUuids().contains(entry.getEntryUuid())
                || get.getUniqueIds() != null && get.getUniqueIds().contains(entry.getUniqueId());
    }

    private RetrievedDocumentSet retrieve(RetrieveDocumentSet request) throws Exception {
        var answer = new RetrievedDocumentSet();
        for (var reference : request.getDocuments()) {
            if (!demo.homeUrn().equals(reference.getHomeCommunityId())) {
                answer.getErrors().add(error(ErrorCode.UNKNOWN_COMMUNITY, reference.getHomeCommunityId()));
            } else if (!demo.repository().equals(reference.getRepositoryUniqueId())) {
                answer.getErrors().add(error(ErrorCode.UNKNOWN_REPOSITORY_ID, reference.getRepositoryUniqueId()));
            } else if (!Files.exists(content(reference))) {
                answer.getErrors().add(error(ErrorCode.DOCUMENT_UNIQUE_ID_ERROR, reference.getDocumentUniqueId()));
            } else {
                answer.getDocuments().add(Canned.document(reference, Files.readAllBytes(content(reference))));
            }
        }
        answer.setStatus(answer.getErrors().isEmpty() ? Status.SUCCESS
                : answer.getDocuments().isEmpty() ? Status.FAILURE : Status.PARTIAL_SUCCESS);
        return answer;
    }

    private Path content(DocumentReference reference) {
        return demo.folder().resolve("documents").resolve(reference.getDocumentUniqueId());
    }

    private ErrorInfo error(ErrorCode code, String context) {
        return new ErrorInfo(code, context, Severity.ERROR, demo.homeUrn(), null);
    }

    /** The assertion has to be there, for us, and signed by the neighbour; else a WS-Security fault. */
    private void requireAssertion(Message message) {
        @SuppressWarnings("unchecked")
        var headers = (Map<QName, Header>) message.getHeader(
                org.openehealth.ipf.platform.camel.ihe.ws.AbstractWsEndpoint.INCOMING_SOAP_HEADERS);
        var header = headers.get(new QName(WSSE, "Security"));
        if (header == null) {
            throw fault("InvalidSecurity");
        }
        var assertion = Xml.one((Element) header.getObject(), "Assertion");
        if (!Xml.text(assertion, "Conditions/AudienceRestriction/Audience").equals(demo.homeUrn())) {
            throw fault("FailedAuthentication");
        }
        assertion.setIdAttribute("ID", true);
        var place = new DOMValidateContext(issuer.getPublicKey(), Xml.one(assertion, "Signature"));
        try {
            XMLSignature signature = XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(place);
            if (!signature.validate(place)) {
                throw fault("FailedCheck");
            }
        } catch (MarshalException unreadable) {
            throw fault("InvalidSecurity");
        } catch (XMLSignatureException otherKey) {
            throw fault("FailedCheck");
        }
    }

    private SoapFault fault(String code) {
        var fault = new SoapFault("refused", Soap12.getInstance().getSender());
        fault.setSubCode(new QName(WSSE, code));
        fault.setStatusCode(faultStatus);
        return fault;
    }

    private static Demo.Id id(Element ii) {
        if (ii == null) {
            throw new NoSuchElementException("no identifier");
        }
        return new Demo.Id(ii.getAttribute("root"), ii.getAttribute("extension"));
    }
}
