"""Properties of the engines: which one runs a folder, and that numpy's writes what torch's writes, within its limits.

In: a tiny random GPT-2 and a tiny random BERT that writes, as students' folders. Out: pass or fail.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from socratic.dialect import ASK, PROBLEM, SOLVE
from socratic.engines import Engine, Prompt
from socratic.engines.ct2 import Ct2Engine
from socratic.engines.numpy import NumpyEngine
from socratic.engines.torch import TorchEngine
from socratic.errors import ModelError
from socratic.schema import Decoding, Problem, Solution, Step, Trace
from socratic.students import load_pair
from socratic.vocabulary import Vocabulary

GREEDY, SAMPLED = Decoding(), Decoding(temperature=1.0)
NEVER = frozenset[int]()
START = Trace(Problem("p", "Nora sold 48 clips in April and 20 in May. How many altogether?"))
LATER = Trace(START.problem, (Step("How many in April?", "48/2 = <<48/2=24>>24", "24"),))


@pytest.fixture(scope="module", params=["bert_student", "llama_student", "small_student"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def engine(folder: Path) -> NumpyEngine:
    return NumpyEngine(folder)


@pytest.fixture(scope="module")
def torch_engine(folder: Path) -> TorchEngine:
    return TorchEngine(folder)


@pytest.fixture(scope="module")
def prompts(folder: Path) -> list[Prompt]:
    return some_prompts(folder)


def some_prompts(folder: Path) -> list[Prompt]:
    """48 random ones: problems alone and with a subquestion or two, each with tokens that it must not write."""
    vocabulary = Vocabulary.load(folder)
    draw, words = random.Random(0), range(vocabulary.size - len(vocabulary.ids))

    def ids() -> tuple[int, ...]:
        found = [vocabulary.ids[PROBLEM], *draw.choices(words, k=draw.randint(1, 30))]
        for _ in range(draw.randint(0, 2)):
            found += [vocabulary.ids[ASK], *draw.choices(words, k=draw.randint(1, 8)), vocabulary.ids[SOLVE]]
        return tuple(found)

    return [Prompt(ids(), frozenset(draw.sample(range(vocabulary.size), draw.choice((0, 40))))) for _ in range(48)]


def written(
    engine: NumpyEngine | TorchEngine,
    prompts: list[Prompt],
    *,
    stop: frozenset[int] = NEVER,
    max_tokens: int = 12,
    decoding: Decoding = GREEDY,
) -> list[list[int]]:
    return [row.ids for row in engine.complete(prompts, stop=stop, max_tokens=max_tokens, decoding=decoding)]


# The same function as torch's


def test_it_writes_the_tokens_that_torch_writes(engine: NumpyEngine, torch_engine: TorchEngine, prompts: list[Prompt]) -> None:
    for stop in (NEVER, frozenset(range(0, engine.vocabulary.size, 9))):
        ours, theirs = (
            [row for start in range(0, 48, 16) for row in written(each, prompts[start : start + 16], stop=stop)]
            for each in (engine, torch_engine)
        )
        assert ours == theirs
        assert len({tuple(row) for row in ours}) > 20, "a model that writes the same after every prompt would prove nothing"
    assert engine.context == torch_engine.context


def test_batch_16_equals_batch_1(engine: NumpyEngine, prompts: list[Prompt]) -> None:
    assert written(engine, prompts[:16]) == [written(engine, [prompt])[0] for prompt in prompts[:16]]


def test_what_it_recalls_of_the_last_call_changes_nothing(engine: NumpyEngine, folder: Path, prompts: list[Prompt]) -> None:
    fresh, asked = NumpyEngine(folder), prompts[:12]
    for round_ in range(4):
        rows = written(engine, asked, max_tokens=5 + round_)
        assert rows == [written(fresh, [prompt], max_tokens=5 + round_)[0] for prompt in asked]
        others = prompts[12 + round_ : 14 + round_]  # in another order and among new ones, some gone on with, some cut short
        asked = [Prompt((*p.ids, *row[: 1 + 2 * round_], 7), p.banned) for p, row in zip(asked, rows, strict=True)][::-1]
        asked = [*others, *asked[2:], Prompt(asked[0].ids[:-4])]


def test_it_recalls_what_a_prompt_shares_with_the_last_call(engine: NumpyEngine, prompts: list[Prompt]) -> None:
    long = next(prompt for prompt in prompts if engine.vocabulary.ids[ASK] in prompt.ids)
    row = written(engine, [prompts[0], long], max_tokens=4)[1]
    assert engine._laid_out([(*long.ids, *row[:3], 7)], 1).recalled == len(long.ids) + 3
    assert engine._laid_out([long.ids], 1).recalled == len(long.ids) - 1
    assert engine._laid_out([(8, 9)], 1).recalled == 0


def test_samples_of_one_prompt_read_it_once_and_are_what_they_would_be_apart(
    engine: NumpyEngine, folder: Path, prompts: list[Prompt]
) -> None:
    asked = [prompt for prompt in prompts[:3] for _ in range(4)]
    assert written(engine, asked) == [written(NumpyEngine(folder), [prompt])[0] for prompt in asked]
    if engine.network.reusable(prompts[0].ids, 2):  # not by a prefix LM, where the problem has no end yet
        engine._read_alike([prompt.ids for prompt in asked])
        batch = engine._laid_out([prompt.ids for prompt in asked], 1)
        assert batch.ids.shape[1] - batch.recalled == 1


def test_samples_are_as_frequent_as_torch_finds_them_likely(engine: NumpyEngine, torch_engine: TorchEngine) -> None:
    count, ids = 4000, (engine.vocabulary.ids[PROBLEM], 30, 40)
    with torch.inference_mode():
        logits = torch_engine.model(input_ids=torch.tensor([ids])).logits[0, -1]
    options = ((t, (logits / t).softmax(-1).numpy()) for t in (2.0, 1.0, 0.5, 0.25))
    temperature, likely = next(
        (t, p) for t, p in options if 0.02 < p.max() < 0.9
    )  # a choice among one or all would prove nothing
    decoding = Decoding(temperature=temperature)
    found = Counter(row[0] for row in written(engine, [Prompt(ids)] * count, max_tokens=1, decoding=decoding))
    observed = np.array([found[token] for token in range(len(likely))]) / count
    assert np.abs(observed - likely).max() < 4.5 * np.sqrt(likely.max() / count)
    assert np.corrcoef(observed, likely)[0, 1] > 0.8


def test_leads_are_torchs_and_spare_the_next_call_the_reading(
    engine: NumpyEngine, torch_engine: TorchEngine, prompts: list[Prompt]
) -> None:
    asked = prompts[:8]
    ours, theirs = (each.leads(asked, 5, 9) for each in (engine, torch_engine))
    assert np.allclose(ours, theirs, atol=1e-3) and np.std(ours) > 1e-3
    if engine.network.reusable(asked[0].ids, len(asked[0].ids) - 1):
        assert engine._laid_out([asked[0].ids], 1).recalled == len(asked[0].ids) - 1
    assert written(engine, asked) == written(torch_engine, asked)


WAYS = pytest.mark.parametrize("decoding", [GREEDY, Decoding(temperature=0.7)], ids=["greedy", "sampled"])


def require_as_likely(writes: Engine, reads: TorchEngine, prompts: list[Prompt], decoding: Decoding) -> None:
    """What one writes must be as likely as torch, which reads all of it at once, finds it among what might follow."""
    prompts = [p for p in prompts if reads.vocabulary.ids[ASK] in p.ids]  # else a prefix LM takes it for the problem's end
    stop = frozenset(range(0, reads.vocabulary.size, 9))
    for prompt, found in zip(prompts, writes.complete(prompts, stop=stop, max_tokens=6, decoding=decoding), strict=True):
        with torch.inference_mode():
            logits = reads.model(input_ids=torch.tensor([[*prompt.ids, *found.ids]])).logits[0, len(prompt.ids) - 1 : -1].float()
            logits[:, sorted(prompt.banned)] = float("-inf")
            gains = logits.log_softmax(-1)[range(len(found.ids)), found.ids]
        assert found.log_likelihood == pytest.approx(gains.sum().item(), abs=2e-3) and found.log_likelihood < -0.01


@WAYS
def test_both_know_how_likely_their_completions_are(
    engine: NumpyEngine, torch_engine: TorchEngine, prompts: list[Prompt], decoding: Decoding
) -> None:
    require_as_likely(engine, torch_engine, prompts, decoding)
    require_as_likely(torch_engine, torch_engine, prompts, decoding)


@WAYS
def test_ctranslate2_knows_how_likely_its_completions_are(student: Path, decoding: Decoding) -> None:
    require_as_likely(Ct2Engine(student), TorchEngine(student), some_prompts(student), decoding)


# Limits


@pytest.mark.parametrize("decoding", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_banned_tokens_never_appear(engine: NumpyEngine, prompts: list[Prompt], decoding: Decoding) -> None:
    free = written(engine, prompts[:16], decoding=decoding)
    own = [Prompt(prompt.ids, frozenset(row)) for prompt, row in zip(prompts, free, strict=False)]  # what it likes best
    others = written(engine, own, decoding=decoding)
    assert all(prompt.banned.isdisjoint(row) for prompt, row in zip(own, others, strict=True))
    assert all(prompt.banned.isdisjoint(row) for prompt, row in zip(prompts, free, strict=False))


def test_a_row_ends_with_its_first_stop_token(engine: NumpyEngine, prompts: list[Prompt]) -> None:
    free = written(engine, prompts[:16])
    stop = frozenset(row[place % 12] for place, row in enumerate(free[:8]))
    ends = [next((i for i, token in enumerate(row) if token in stop), 11) for row in free]
    assert written(engine, prompts[:16], stop=stop) == [row[: end + 1] for row, end in zip(free, ends, strict=True)]
    assert len(set(ends)) > 1, "rows that all end together would prove nothing"


@pytest.mark.parametrize("count", [1, 2, 7])
def test_no_more_tokens_than_allowed(engine: NumpyEngine, prompts: list[Prompt], count: int) -> None:
    longer = written(engine, prompts[:8], max_tokens=9)
    assert written(engine, prompts[:8], max_tokens=count) == [row[:count] for row in longer]


def test_the_whole_context_can_be_used(engine: NumpyEngine) -> None:
    ids = (engine.vocabulary.ids[PROBLEM], *[20] * (engine.context - 5))
    assert len(written(engine, [Prompt(ids), Prompt(ids[:3])], max_tokens=4)[0]) == 4


# Sampling


def test_same_seed_same_tokens_another_seed_others(engine: NumpyEngine, prompts: list[Prompt]) -> None:
    one, again, other = (written(engine, prompts[:8], decoding=Decoding(temperature=1.0, seed=s)) for s in (0, 0, 1))
    assert one == again != other


def test_little_temperature_is_greedy_and_much_is_not(engine: NumpyEngine, prompts: list[Prompt]) -> None:
    greedy = written(engine, prompts[:8])
    assert written(engine, prompts[:8], decoding=Decoding(seed=5)) == greedy
    assert written(engine, prompts[:8], decoding=Decoding(temperature=1e-5)) == greedy
    assert written(engine, prompts[:8], decoding=Decoding(temperature=9.0)) != greedy


# Folders


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def drop_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["bert.encoder.layer.1.output.dense.bias"]
    save_file(weights, folder / "model.safetensors")


def fewer_words(folder: Path) -> None:
    weights, name = load_file(folder / "model.safetensors"), "bert.embeddings.word_embeddings.weight"
    save_file({**weights, name: weights[name][:-1].copy()}, folder / "model.safetensors")


def config(**changed: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        kept = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({k: v for k, v in {**kept, **changed}.items() if v != "lost"}))

    return change


def garble(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "prefix_lm",')


def no_object(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


SPOILT = {
    "no config": without("config.json"),
    "no weights": without("model.safetensors"),
    "no tokens": without("tokenizer.json"),
    "truncated": truncate,
    "a weight missing": drop_weight,
    "a word missing": fewer_words,
    "no ask_id": config(ask_id="lost"),
    "a layer missing": config(num_hidden_layers=3),
    "another gelu": config(hidden_act="relu"),
    "garbled": garble,
    "no object": no_object,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_spoilt_folder_is_a_model_error(spoil: Callable[[Path], None], bert_student: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert_student, tmp_path / "spoilt")
    spoil(folder)
    with pytest.raises(ModelError, match="spoilt") as caught:
        NumpyEngine(folder)
    assert caught.value.hint


def test_solving_with_it_loads_neither_torch_nor_transformers_nor_ctranslate2(bert_student: Path) -> None:
    code = """if True:
        import sys
        from socratic import Decoding, Orchestrator
        pair = Orchestrator.from_pretrained(sys.argv[1])
        trace = pair.solve("Nora had 12 clips and sold 5. How many are left?")
        pair.solver.solve([trace], ["How many?"], Decoding())
        print(type(pair.decomposer.engine).__name__, sorted({"torch", "transformers", "ctranslate2"} & sys.modules.keys()))
    """
    done = subprocess.run([sys.executable, "-c", code, str(bert_student)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "NumpyEngine []"


# Which engine runs a folder


def engine_of(folder: Path, kind: str) -> str:
    decomposer, solver = load_pair(str(folder), engine=kind)
    assert decomposer.engine is solver.engine, "a unified student is loaded once"
    return type(solver.engine).__name__


def test_light_is_ctranslate2_where_it_has_a_form_and_numpy_for_a_prefix_lm(student: Path, bert_student: Path) -> None:
    assert engine_of(student, "light") == "Ct2Engine"
    assert engine_of(bert_student, "light") == "NumpyEngine"


def test_torch_runs_every_folder_and_light_falls_back_to_it(student: Path, bert_student: Path, tmp_path: Path) -> None:
    without_ct2 = shutil.copytree(student, tmp_path / "s", ignore=shutil.ignore_patterns("ct2"))
    for folder, kind in ((student, "torch"), (bert_student, "torch"), (without_ct2, "light")):
        assert engine_of(folder, kind) == "TorchEngine"


def test_both_engines_ask_and_solve_alike(bert_student: Path) -> None:
    found = []
    for kind in ("light", "torch"):
        decomposer, solver = load_pair(str(bert_student), engine=kind)
        asked = decomposer.ask([START, LATER], GREEDY)
        solved = solver.solve([START, LATER], ["How many did Nora sell?", "How many?"], GREEDY)
        found.append((asked, [one.text if isinstance(one, Solution) else one for one in solved]))
    assert found[0] == found[1]


def test_broken_weights_are_a_model_error_when_the_pair_is_loaded(bert_student: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bert_student, tmp_path / "s")
    (folder / "model.safetensors").write_bytes(b"nonsense")
    for kind in ("light", "torch"):
        with pytest.raises(ModelError):
            load_pair(str(folder), engine=kind)
