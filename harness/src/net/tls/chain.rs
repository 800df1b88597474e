//! The certificates of the simulated servers: two that are sent, and the root
//! that devices trust.
//!
//! The server's own is one for a domain name as a public authority issues it
//! today: with a 144-bit serial number, subject alternative name, key usages, key
//! identifiers, policy, where to find the issuer and its revocation list, and two
//! signed certificate timestamps. The intermediate's is likewise. Their keys and
//! signatures are Ed25519, whose size, unlike ECDSA's, never varies: with ECDSA
//! P-256 the chain would be some 120 bytes longer, with RSA-2048 some 900.
//!
//! They were made once, by the recipe among this file's tests, with rcgen, and are
//! valid from 1970, where the time of a run begins, to 2049, where their form of
//! time ends. The keys are nobody's secret. The two that are sent have 823 and 593
//! bytes.

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The server's certificate.
const LEAF: &str = include_str!("chain/leaf.pem");

/// The one it is signed with.
const INTERMEDIATE: &str = include_str!("chain/intermediate.pem");

/// The one that that is signed with, which a device has.
const ROOT: &str = include_str!("chain/root.pem");

/// The server's private key, of Ed25519.
const LEAF_KEY: [u8; 32] = [3; 32];

/// What devices trust.
pub(super) fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(certificate(ROOT))
        .unwrap_or_else(|error| panic!("the root is committed and tested: {error}"));
    roots
}

/// Bytes of the certificates that a server sends.
pub(crate) fn bytes() -> usize {
    [LEAF, INTERMEDIATE]
        .map(|pem| certificate(pem).len())
        .iter()
        .sum()
}

/// What a server sends, and its key.
pub(super) fn certified() -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = [LEAF, INTERMEDIATE].map(certificate);
    (chain.to_vec(), PrivateKeyDer::Pkcs8(private_key(LEAF_KEY)))
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .unwrap_or_else(|error| panic!("the certificates are committed and tested: {error}"))
}

/// PKCS #8 around a private key of Ed25519 (RFC 8410, section 7).
fn private_key(key: [u8; 32]) -> PrivatePkcs8KeyDer<'static> {
    const BEFORE: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    PrivatePkcs8KeyDer::from([&BEFORE[..], &key].concat())
}

#[cfg(test)]
mod tests {
    use super::super::SERVER_NAME;
    use super::*;
    use rcgen::{
        BasicConstraints, Certificate, CertificateParams, CrlDistributionPoint, CustomExtension,
        DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
        SerialNumber, date_time_ymd,
    };

    /// Of the root and of the intermediate.
    const ISSUERS: [[u8; 32]; 2] = [[1; 32], [2; 32]];

    /// A value of ASN.1 in its distinguished encoding.
    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = match content.len() {
            length @ ..0x80 => vec![length as u8],
            length @ ..0x100 => vec![0x81, length as u8],
            length => vec![0x82, (length >> 8) as u8, length as u8],
        };
        [&[tag], &length[..], content].concat()
    }

    /// Where the issuer's certificate is (RFC 5280, section 4.2.2.1).
    fn authority_information(url: &str) -> CustomExtension {
        const CA_ISSUERS: &[u8] = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02";
        let access = [CA_ISSUERS, &der(0x86, url.as_bytes())].concat();
        let content = der(0x30, &der(0x30, &access));
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], content)
    }

    /// That who has the name has asked for the certificate (CA/Browser Forum,
    /// 2.23.140.1.2.1).
    fn domain_validated() -> CustomExtension {
        let policy = der(0x30, b"\x06\x06\x67\x81\x0c\x01\x02\x01");
        CustomExtension::from_oid_content(&[2, 5, 29, 32], der(0x30, &policy))
    }

    /// Two timestamps in form, of logs that are none (RFC 6962, section 3.3).
    fn timestamps() -> CustomExtension {
        let timestamp = |log: u8| {
            // Version, log, time, no extensions, ECDSA with SHA-256, signature.
            let begins = [&[0], &[log; 32][..], &[0; 8], &[0; 2], &[4, 3]].concat();
            let signature = [0x30, 0x45]
                .into_iter()
                .chain([log; 69])
                .collect::<Vec<_>>();
            let body = [begins, vec![0, 71], signature].concat();
            [(body.len() as u16).to_be_bytes().to_vec(), body].concat()
        };
        let list = [timestamp(0xA1), timestamp(0xB2)].concat();
        let list = [(list.len() as u16).to_be_bytes().to_vec(), list].concat();
        let oid = [1, 3, 6, 1, 4, 1, 11_129, 2, 4, 2];
        CustomExtension::from_oid_content(&oid, der(0x04, &list))
    }

    fn named(name: &str, serial: u8) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(1970, 1, 1);
        params.not_after = date_time_ymd(2049, 12, 31);
        params.serial_number = Some(SerialNumber::from_slice(&[serial; 18]));
        params.distinguished_name.remove(DnType::CommonName);
        if serial != LEAF_SERIAL {
            let country = DnValue::PrintableString("AQ".try_into().expect("printable"));
            params.distinguished_name.push(DnType::CountryName, country);
            let organization = "Squall Simulated Trust";
            params
                .distinguished_name
                .push(DnType::OrganizationName, organization);
        }
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    const LEAF_SERIAL: u8 = 0x05;

    fn authority(name: &str, serial: u8, constraints: BasicConstraints) -> CertificateParams {
        let mut params = named(name, serial);
        params.is_ca = IsCa::Ca(constraints);
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
        ];
        params
    }

    /// A certificate's issuer, and where its list of revocations is.
    fn issued(params: &mut CertificateParams, issuer: &str) {
        params.use_authority_key_identifier_extension = true;
        params.crl_distribution_points = vec![CrlDistributionPoint {
            uris: vec![format!("http://{issuer}.c.squall.example/")],
        }];
        let issuer = format!("http://{issuer}.i.squall.example/");
        params.custom_extensions = vec![authority_information(&issuer), domain_validated()];
    }

    /// Root, intermediate and leaf.
    fn recipe() -> [Certificate; 3] {
        let key = |key| KeyPair::try_from(&private_key(key)).expect("a key");
        let [root_key, intermediate_key] = ISSUERS.map(key);
        let root = authority("Squall Root X1", 0x03, BasicConstraints::Unconstrained);
        let mut intermediate = authority("Squall S1", 0x04, BasicConstraints::Constrained(0));
        intermediate.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        issued(&mut intermediate, "x1");
        let mut leaf = named(SERVER_NAME, LEAF_SERIAL);
        leaf.subject_alt_names = vec![rcgen::SanType::DnsName(
            SERVER_NAME.try_into().expect("a domain name"),
        )];
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        issued(&mut leaf, "s1");
        leaf.custom_extensions.push(timestamps());

        let root_certificate = root.self_signed(&root_key).expect("a certificate");
        let root = Issuer::from_params(&root, &root_key);
        let signed = intermediate.signed_by(&intermediate_key, &root);
        let intermediate = Issuer::from_params(&intermediate, &intermediate_key);
        let leaf = leaf.signed_by(&key(LEAF_KEY), &intermediate);
        [
            root_certificate,
            signed.expect("a certificate"),
            leaf.expect("a certificate"),
        ]
    }

    #[test]
    fn the_certificates_are_those_of_the_recipe() {
        let made = recipe().map(|certificate| certificate.pem());
        for (pem, committed) in made.iter().zip([ROOT, INTERMEDIATE, LEAF]) {
            assert_eq!(pem.replace('\r', ""), committed);
        }
    }

    #[test]
    fn the_chain_has_its_size() {
        let (chain, _) = certified();
        let bytes: Vec<_> = chain.iter().map(|certificate| certificate.len()).collect();
        assert_eq!(bytes, [823, 593]);
    }
}
