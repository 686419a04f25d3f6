"""Key pairs of KMS keys, which are made when they are first used."""

from __future__ import annotations

from typing import Any

import pytest
from moto.kms.models import kms_backends

from drills.simulator import SimulatedAWS

ACCOUNT = "111111111111"
SIGNING = {"RSA_2048": "RSASSA_PSS_SHA_256", "ECC_NIST_P256": "ECDSA_SHA_256"}


def made(key_id: str) -> bool:
    pair: Any = kms_backends[ACCOUNT]["eu-west-1"].keys[key_id].private_key
    return "_made" in vars(pair)


@pytest.mark.parametrize("spec", SIGNING)
def test_an_asymmetric_key_signs_and_verifies(spec: str) -> None:
    with SimulatedAWS() as aws:
        kms = aws.session(ACCOUNT, "eu-west-1").client("kms")
        key = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        asked = {"KeyId": key, "Message": b"a message", "SigningAlgorithm": SIGNING[spec]}
        signature = kms.sign(**asked)["Signature"]
        assert kms.verify(**asked, Signature=signature)["SignatureValid"]
        public = kms.get_public_key(KeyId=key)["PublicKey"]
        assert public == kms.get_public_key(KeyId=key)["PublicKey"]


def test_a_symmetric_key_has_none() -> None:
    with SimulatedAWS() as aws:
        kms = aws.session(ACCOUNT, "eu-west-1").client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        sealed = kms.encrypt(KeyId=key, Plaintext=b"text")["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"text"
        assert not made(key)
