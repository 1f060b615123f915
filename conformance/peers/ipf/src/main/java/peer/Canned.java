package peer;

import jakarta.activation.DataHandler;
import jakarta.mail.util.ByteArrayDataSource;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.apache.camel.Processor;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLFactory30;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssigningAuthority;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Author;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Code;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.LocalizedString;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Organization;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Person;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.XcnName;
import org.openehealth.ipf.commons.ihe.xds.core.requests.DocumentReference;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RetrieveDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.QueryResponse;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Response;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocument;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;
import org.openehealth.ipf.commons.ihe.xds.core.transform.responses.QueryResponseTransformer;

/** The same positive answer to every request: what {@code make bench PEER=1} measures. */
final class Canned implements Responder.Answers {
    private static final int ENTRIES = 10;
    private static final byte[] DOCUMENT = new byte[1 << 20];

    private final Demo demo;
    /** Marshalled anew for each request, but made once. */
    private final Object entries;

    Canned(Demo demo) throws Exception {
        this.demo = demo;
        new Random(20261123).nextBytes(DOCUMENT);
        var hash = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(DOCUMENT));
        var response = new QueryResponse(Status.SUCCESS);
        for (int number = 1; number <= ENTRIES; number++) {
            var id = demo.repository() + ".1." + number;
            response.getDocumentEntries().add(entry(demo, new Demo.Id(Demo.SHARED_ID_DOMAIN, "BENCH"),
                    new Demo.Doc(id, hash, DOCUMENT.length, "application/pdf", demo.repository()), number));
        }
        entries = new QueryResponseTransformer(new EbXMLFactory30()).toEbXML(response).getInternal();
    }

    @Override
    public Processor to(Transaction transaction) {
        return switch (transaction) {
            case ITI_44 -> exchange -> exchange.getMessage().setBody(
                    Answer.to(exchange.getIn().getBody(String.class)).accept("CA", null));
            case ITI_45 -> exchange -> exchange.getMessage().setBody(resolve(exchange.getIn().getBody(String.class)));
            case ITI_55 -> exchange -> exchange.getMessage().setBody(
                    Answer.to(exchange.getIn().getBody(String.class)).match(demo.home(),
                            new Demo.Id(Demo.SHARED_ID_DOMAIN, "BENCH"), demo.patient("A")));
            case ITI_38 -> exchange -> exchange.getMessage().setBody(entries);
            case ITI_39 -> exchange -> exchange.getMessage().setBody(
                    documents(exchange.getIn().getBody(RetrieveDocumentSet.class)));
            case ITI_41 -> exchange -> exchange.getMessage().setBody(new Response(Status.SUCCESS));
        };
    }

    /** As text where the request is written plainly: a canned answer should cost what IPF costs, and no more. */
    private static String resolve(String request) throws Exception {
        var ids = List.of(new Demo.Id("2.999.30.2", "BENCH"));
        var quick = Answer.splice(request, ids);
        return quick != null ? quick : Answer.to(request).identifiers(ids);
    }

    private static RetrievedDocumentSet documents(RetrieveDocumentSet request) {
        var set = new RetrievedDocumentSet(Status.SUCCESS);
        for (var reference : request.getDocuments()) {
            set.getDocuments().add(document(reference, DOCUMENT));
        }
        return set;
    }

    static RetrievedDocument document(DocumentReference reference, byte[] bytes) {
        return new RetrievedDocument(new DataHandler(new ByteArrayDataSource(bytes, "application/pdf")),
                reference, null, null, "application/pdf");
    }

    /** A complete entry; {@code number} varies title and entry id. */
    static DocumentEntry entry(Demo demo, Demo.Id patient, Demo.Doc document, int number) {
        var entry = new DocumentEntry();
        var shared = new Identifiable(patient.value(), new AssigningAuthority(patient.domain()));
        entry.setEntryUuid("urn:uuid:6d0f9a5c-7c4c-4b56-8a58-%012d".formatted(number));
        entry.setUniqueId(document.uniqueId());
        entry.setRepositoryUniqueId(document.repository());
        entry.setHomeCommunityId(demo.homeUrn());
        entry.setAvailabilityStatus(AvailabilityStatus.APPROVED);
        entry.setPatientId(shared);
        entry.setSourcePatientId(shared);
        entry.setHash(document.hash());
        entry.setSize(document.size());
        entry.setMimeType("application/pdf");
        entry.setLanguageCode("ja-JP");
        entry.setCreationTime("20250102030405");
        entry.setServiceStartTime("202501010900");
        entry.setServiceStopTime("202501011000");
        entry.setTitle(new LocalizedString("紹介状 " + number, "ja-JP", "UTF-8"));
        entry.setClassCode(code("11488-4", "Consultation note", "2.16.840.1.113883.6.1"));
        entry.setTypeCode(code("34133-9", "Summary of episode note", "2.16.840.1.113883.6.1"));
        entry.setFormatCode(code("urn:ihe:iti:xds:2017:mimeTypeSufficient", "mimeType Sufficient", "1.3.6.1.4.1.19376.1.2.3"));
        entry.setHealthcareFacilityTypeCode(code("22232009", "Hospital", "2.16.840.1.113883.6.96"));
        entry.setPracticeSettingCode(code("394802001", "General medicine", "2.16.840.1.113883.6.96"));
        entry.getConfidentialityCodes().add(code("N", "normal", "2.16.840.1.113883.5.25"));
        var author = new Author();
        author.setAuthorPerson(new Person(new Identifiable("d1", new AssigningAuthority("2.999.30.1")),
                new XcnName("開業", "太郎", null, null, null, null)));
        author.getAuthorInstitution().add(new Organization("IPF clinic", "7.1", new AssigningAuthority("2.999.30.1")));
        entry.getAuthors().add(author);
        return entry;
    }

    private static Code code(String code, String display, String scheme) {
        return new Code(code, new LocalizedString(display, "en-US", "UTF-8"), scheme);
    }
}
