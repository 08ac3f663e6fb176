"""Which proofs came already, RFC 9449 section 11.1: each once, and nobody fills the memory for others."""

from __future__ import annotations

import random
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from ostiary.identity import memory_replay_store
from ostiary.identity.memory_replay_store import MemoryReplayStore
from ostiary.identity.possession import Possession, Sender
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.dpop_proof import dpop_proof
from ostiary.oauth.confirmation import jwk_thumbprint
from ostiary.oauth.errors import InvalidDpopProof, InvalidToken
from ostiary.oauth.resource_server.dpop_proof import VerifiedProof

NOW = 1_800_000_000.0
LIFE = 330.0
"""Seconds after its time that a proof would be taken: the window, and the leeway."""
MOST, ROOM = 4000, 500
"""The real ones are fifty times as many."""
URL = canonical_url("https://mcp.example.com/mcp")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_replay_store, "MOST_REMEMBERED", MOST)
    monkeypatch.setattr(memory_replay_store, "ROOM", ROOM)


async def came(replays: MemoryReplayStore, proof: VerifiedProof, now: float) -> str:
    try:
        taken = await replays.take(proof, until=proof.iat + LIFE, now=now)
    except InvalidDpopProof as refused:
        return refused.description
    return "first" if taken else "again"


@pytest.mark.usefixtures("small")
async def test_a_flood_of_proofs_of_one_key_refuses_that_key_alone() -> None:
    replays = MemoryReplayStore()
    honest = [VerifiedProof("honest", str(number), NOW) for number in range(100)]
    before, after = honest[:50], honest[50:]
    assert {await came(replays, proof, NOW) for proof in before} == {"first"}
    flood = [VerifiedProof("hostile", str(number), NOW) for number in range(2 * MOST)]
    told = [await came(replays, proof, NOW) for proof in flood]
    assert set(told) == {"first", "too many proofs of one key; make a new one in a second"}
    assert {await came(replays, proof, NOW) for proof in after} == {"first"}
    assert {await came(replays, proof, NOW) for proof in honest} == {"again"}
    assert "first" not in {await came(replays, proof, NOW) for proof in flood}
    assert await came(replays, VerifiedProof("hostile", "later", NOW + 1), NOW + 1) == "first"


@pytest.mark.usefixtures("small")
async def test_a_flood_of_proofs_of_many_keys_refuses_none_that_proves_little() -> None:
    replays = MemoryReplayStore()
    numbers = count()
    honest = [VerifiedProof(f"honest-{number}", "1", NOW) for number in range(100)]
    assert {await came(replays, proof, NOW) for proof in honest} == {"first"}
    for _ in range(3 * MOST // 100):
        for key in range(100):
            await came(replays, VerifiedProof(f"hostile-{key}", str(next(numbers)), NOW), NOW)
    assert {await came(replays, proof, NOW) for proof in honest} == {"again"}
    again = [VerifiedProof(proof.jkt, "2", NOW) for proof in honest]
    assert {await came(replays, proof, NOW) for proof in again} == {"first"}


@pytest.mark.usefixtures("small")
async def test_as_many_keys_as_are_remembered_let_no_proof_in_twice_and_are_forgotten_in_time() -> None:
    replays = MemoryReplayStore()
    proofs = [VerifiedProof(f"key-{number}", "1", NOW) for number in range(MOST)]
    told = [await came(replays, proof, NOW) for proof in proofs]
    assert told[-1] == "too many proofs at once; try again"
    assert told.count("first") > MOST - 2 * ROOM
    assert "first" not in {
        await came(replays, proof, NOW) for proof, was in zip(proofs, told, strict=True) if was == "first"
    }
    later = NOW + 2 * LIFE + 60
    anew = [VerifiedProof(proof.jkt, "1", later) for proof in proofs]
    assert {await came(replays, proof, later) for proof in anew[: MOST // 4]} == {"first"}


@given(seed=st.integers(), keys=st.integers(1, 8))
async def test_no_proof_comes_in_twice_while_it_is_good(seed: int, keys: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_replay_store, "MOST_REMEMBERED", 40)
        patch.setattr(memory_replay_store, "ROOM", 5)
        chance, replays, now = random.Random(seed), MemoryReplayStore(), NOW
        taken: set[VerifiedProof] = set()
        numbers = count()
        for _ in range(400):
            now += chance.choice((0, 0, 0, 0.3, 7, 100))
            new = VerifiedProof(
                f"key-{chance.randrange(keys)}", str(next(numbers)), now // 1 + chance.randint(-300, 30)
            )
            proof = chance.choice([new, new, *chance.sample(sorted(taken, key=repr), min(3, len(taken)))])
            if not -30 <= now - proof.iat <= 300:
                continue
            if await came(replays, proof, now) == "first":
                assert proof not in taken
                taken.add(proof)
            held = sum(
                len(generation.keys) + sum(len(key.names) for key in generation.keys.values())
                for generation in replays._generations.values()
            )
            assert held <= 40


async def test_proofs_of_keys_to_which_the_token_is_not_bound_are_not_remembered() -> None:
    """Keys are free: a token for one of them would do for a flood of all others."""
    possession = Possession(MemoryReplayStore(), lambda: NOW)
    keys = [ECKey.generate_key("P-256") for _ in range(2)]
    bound, other = ({"cnf": {"jkt": jwk_thumbprint(key.as_dict(private=False))}} for key in keys)
    proof = dpop_proof(keys[1], method="POST", url=URL, now=NOW, jti="1", access_token="token")
    sender = Sender("POST", URL, proof)
    with pytest.raises(InvalidToken, match="bound to something else"):
        await possession.require(bound, "token", sender, by_key=True)
    await possession.require(other, "token", sender, by_key=True)
    with pytest.raises(InvalidDpopProof, match="used before"):
        await possession.require(other, "token", sender, by_key=True)
