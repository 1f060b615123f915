package peer;

import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.UUID;

/** HL7 V3 requests as text, which is what IPF's PIXv3 and XCPD components take. */
final class Hl7 {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMddHHmmss");

    private Hl7() {}

    /** Sender and receiver of a message: devices, and home communities between gateways (else null). */
    record Parties(String sender, String receiver, String senderHome, String receiverHome) {}

    /** ITI-44: add ({@code PRPA_IN201301UV02}) or revise ({@code PRPA_IN201302UV02}). */
    static String feed(String interaction, Parties parties, Demo.Id id, Demo.Patient patient, String street) {
        return wrap(interaction, parties, registration(interaction, id, person(patient, street), "", parties));
    }

    /** ITI-44 merge: {@code survivor} takes the place of {@code subsumed}. */
    static String merge(Parties parties, Demo.Id survivor, Demo.Id subsumed, Demo.Patient patient) {
        var prior = """
                <replacementOf typeCode="RPLC"><priorRegistration classCode="REG" moodCode="EVN">
                <statusCode code="obsolete"/><subject1 typeCode="SBJ"><priorRegisteredRole classCode="PAT">
                %s</priorRegisteredRole></subject1></priorRegistration></replacementOf>""".formatted(ii(subsumed));
        return wrap("PRPA_IN201304UV02", parties,
                registration("PRPA_IN201304UV02", survivor, names(patient), prior, parties));
    }

    /** ITI-45: the identifiers of {@code id} in {@code domains}; none means all. */
    static String query(Parties parties, Demo.Id id, List<String> domains) {
        var sources = new StringBuilder();
        for (var domain : domains) {
            sources.append("<dataSource><value root=\"%s\"/><semanticsText>DataSource.id</semanticsText></dataSource>"
                    .formatted(domain));
        }
        return wrap("PRPA_IN201309UV02", parties, """
                <authorOrPerformer typeCode="AUT"><assignedPerson classCode="ASSIGNED">
                <id root="%1$s" extension="ipf-peer"/></assignedPerson></authorOrPerformer>
                <queryByParameter><queryId root="%1$s" extension="%2$s"/><statusCode code="new"/>
                <responsePriorityCode code="I"/><parameterList>%3$s<patientIdentifier><value root="%4$s" extension="%5$s"/>
                <semanticsText>Patient.id</semanticsText></patientIdentifier></parameterList></queryByParameter>"""
                .formatted(parties.sender(), UUID.randomUUID(), sources, id.domain(), Xml.escape(id.value())));
    }

    /** ITI-55: by demographics, and by {@code id} unless it is null. */
    static String discover(Parties parties, Demo.Patient patient, Demo.Id id) {
        var byId = id == null ? "" : """
                <livingSubjectId><value root="%s" extension="%s"/><semanticsText>LivingSubject.id</semanticsText></livingSubjectId>"""
                .formatted(id.domain(), Xml.escape(id.value()));
        return wrap("PRPA_IN201305UV02", parties, """
                <queryByParameter><queryId root="%s" extension="%s"/><statusCode code="new"/>
                <responseModalityCode code="R"/><responsePriorityCode code="I"/><parameterList>
                <livingSubjectAdministrativeGender><value code="%s"/>
                <semanticsText>LivingSubject.administrativeGender</semanticsText></livingSubjectAdministrativeGender>
                <livingSubjectBirthTime><value value="%s"/><semanticsText>LivingSubject.birthTime</semanticsText></livingSubjectBirthTime>
                %s<livingSubjectName><value><family>%s</family><given>%s</given></value>
                <semanticsText>LivingSubject.name</semanticsText></livingSubjectName></parameterList></queryByParameter>"""
                .formatted(parties.sender(), UUID.randomUUID(), patient.sex(), patient.birthTime(), byId,
                        Xml.escape(patient.name().family()), Xml.escape(patient.name().given())));
    }

    static String ii(Demo.Id id) {
        return "<id root=\"%s\" extension=\"%s\"/>".formatted(id.domain(), Xml.escape(id.value()));
    }

    /** Kanji (IDE) and kana (SYL) forms of the name. */
    static String names(Demo.Patient patient) {
        var name = patient.name();
        return """
                <name use="IDE"><family>%s</family><given>%s</given></name><name use="SYL"><family>%s</family><given>%s</given></name>"""
                .formatted(Xml.escape(name.family()), Xml.escape(name.given()),
                        Xml.escape(name.familyKana()), Xml.escape(name.givenKana()));
    }

    static String person(Demo.Patient patient, String street) {
        return names(patient) + """
                <administrativeGenderCode code="%s" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="%s"/>
                <addr><streetAddressLine>%s</streetAddressLine><city>高岡市</city><state>富山県</state>
                <postalCode>933-0000</postalCode></addr>""".formatted(patient.sex(), patient.birthTime(), Xml.escape(street));
    }

    private static String registration(String interaction, Demo.Id id, String person, String prior, Parties parties) {
        var provider = interaction.equals("PRPA_IN201304UV02") ? "" : """
                <providerOrganization classCode="ORG" determinerCode="INSTANCE"><id root="%s"/><name>IPF clinic</name>
                <contactParty classCode="CON"><telecom value="tel:+81-766-00-0000"/></contactParty></providerOrganization>"""
                .formatted(id.domain());
        return """
                <subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN"><id nullFlavor="NA"/>
                <statusCode code="active"/><subject1 typeCode="SBJ"><patient classCode="PAT">%s<statusCode code="active"/>
                <patientPerson classCode="PSN" determinerCode="INSTANCE">%s</patientPerson>%s</patient></subject1>
                <custodian typeCode="CST"><assignedEntity classCode="ASSIGNED"><id root="%s"/>
                <assignedOrganization classCode="ORG" determinerCode="INSTANCE"><name>IPF clinic</name></assignedOrganization>
                </assignedEntity></custodian>%s</registrationEvent></subject>"""
                .formatted(ii(id), person, provider, parties.sender(), prior);
    }

    /** Transmission and control act wrapper of a request. */
    private static String wrap(String interaction, Parties parties, String act) {
        return """
                <%1$s xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ITSVersion="XML_1.0">\
                <id root="%2$s"/><creationTime value="%3$s"/><interactionId root="2.16.840.1.113883.1.6" extension="%1$s"/>\
                <processingCode code="T"/><processingModeCode code="T"/><acceptAckCode code="AL"/>\
                <receiver typeCode="RCV">%4$s</receiver><sender typeCode="SND">%5$s</sender>\
                <controlActProcess classCode="CACT" moodCode="EVN"><code code="%6$s" codeSystem="2.16.840.1.113883.1.6"/>\
                %7$s</controlActProcess></%1$s>"""
                .formatted(interaction, UUID.randomUUID(), LocalDateTime.now().format(TIME),
                        device(parties.receiver(), parties.receiverHome()), device(parties.sender(), parties.senderHome()),
                        interaction.replace("_IN", "_TE"), act.replace("\n", ""));
    }

    static String device(String id, String home) {
        var agent = home == null ? "" : """
                <asAgent classCode="AGNT"><representedOrganization classCode="ORG" determinerCode="INSTANCE">\
                <id root="%s"/></representedOrganization></asAgent>""".formatted(home);
        return "<device classCode=\"DEV\" determinerCode=\"INSTANCE\"><id root=\"%s\"/>%s</device>".formatted(id, agent);
    }
}
