"""Server certificates with something wrong, by the names of `fault_rules.TLS_TROUBLES`.

All are for the names that the good certificate has (but "wrong-name"), and signed by the world's authority where that is not the trouble.
Validity is by the machine's clock, as OpenSSL asks it.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme
    from cryptography import x509

__all__ = ["TROUBLES", "leaf", "server_context"]

TROUBLES = frozenset(
    {
        "expired",
        "not-yet-valid",
        "wrong-name",
        "self-signed",
        "unknown-ca",
        "weak-key",
        "broken-chain",
        "old-versions",
    }
)
"""Those that a certificate or a context makes."""

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC)
_NOT_YET = datetime(2900, 1, 1, tzinfo=UTC), datetime(2990, 1, 1, tzinfo=UTC)
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC), datetime(2990, 1, 1, tzinfo=UTC)
WEAK_BITS = 1024
"""An RSA key that OpenSSL's security level 2, the usual one, refuses (it wants 2,048); the least that can still be made."""
_LOWEST_LEVEL = "DEFAULT:@SECLEVEL=0"


def leaf(trouble: str, authority: trustme.CA, names: Iterable[str], common_name: str) -> trustme.LeafCert:
    """A certificate with its key and chain. A `trouble` that is not about certificates gives a good one."""
    import trustme

    names = list(names)
    ecdsa = trustme.KeyType.ECDSA
    match trouble:
        case "expired" | "not-yet-valid":
            begin, end = _LONG_AGO if trouble == "expired" else _NOT_YET
            return authority.issue_cert(*names, common_name=common_name, not_before=begin, not_after=end, key_type=ecdsa)
        case "wrong-name":
            return authority.issue_cert("elsewhere.invalid", common_name="elsewhere.invalid", key_type=ecdsa)
        case "unknown-ca":
            stranger = trustme.CA(organization_name="Nobody's authority", key_type=ecdsa)
            return stranger.issue_cert(*names, common_name=common_name, key_type=ecdsa)
        case "broken-chain":
            whole = authority.create_child_ca(key_type=ecdsa).issue_cert(*names, common_name=common_name, key_type=ecdsa)
            return trustme.LeafCert(whole.private_key_pem.bytes(), whole.cert_chain_pems[0].bytes(), [])
        case "self-signed":
            return _self_made(names, common_name, None)
        case "weak-key":
            return _self_made(names, common_name, authority)
    # The common name is long out of use, but fetchmail 6.4 takes no certificate without one.
    return authority.issue_cert(*names, common_name=common_name, key_type=ecdsa)


def _self_made(names: Iterable[str], common_name: str, authority: trustme.CA | None) -> trustme.LeafCert:
    """What trustme does not make: with an RSA key, signed by `authority` or, without one, by itself."""
    import trustme
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    if authority is None:
        key = ec.generate_private_key(ec.SECP256R1())
        signer, issuer = key, subject
    else:
        key = rsa.generate_private_key(65537, WEAK_BITS)
        loaded = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signer, issuer = loaded, x509.load_pem_x509_certificate(authority.cert_pem.bytes()).subject
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_ANY_TIME[0])
        .not_valid_after(_ANY_TIME[1])
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
    plain = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, plain, serialization.NoEncryption())
    return trustme.LeafCert(pem, certificate.public_bytes(serialization.Encoding.PEM), [])


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


_OLDEST: Mapping[str, ssl.TLSVersion] = {"minimum_version": ssl.TLSVersion.TLSv1, "maximum_version": ssl.TLSVersion.TLSv1_1}


def server_context(trouble: str, certificate: trustme.LeafCert) -> ssl.SSLContext:
    """A server's context with the certificate, and with what else the trouble needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if trouble in ("weak-key", "old-versions"):
        context.set_ciphers(_LOWEST_LEVEL)
    if trouble == "old-versions":
        with warnings.catch_warnings():  # that it is old and weak is what is wanted
            warnings.simplefilter("ignore", DeprecationWarning)
            for name, version in _OLDEST.items():
                setattr(context, name, version)
    certificate.configure_cert(context)
    return context
