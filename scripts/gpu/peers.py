"""PyTorch on the same card. A line of JSON asks for operands to be made, or for a candidate to be run so
many times; its answer is a line: names and what was left out, or seconds of one run.

Usage: peers.py FOLDER cuda|cpu
"""
import json
import os
import sys
import time

import torch

folder, device = sys.argv[1:]
is_card = device == "cuda"
half = torch.bfloat16
root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
words = "the of and to in was for on as with by at from his that it he an were are".split(" ")


def wait():
    if is_card:
        torch.cuda.synchronize()


def seconds_of(run, repeat):
    wait()
    begun = time.perf_counter()
    for _ in range(repeat):
        run()
    wait()
    return (time.perf_counter() - begun) / repeat


def random(*shape, dtype=torch.float32):
    return torch.randn(*shape, device=device, dtype=dtype)


def product(m, n, k):
    x, weight, bias = random(m, k, dtype=half), random(n, k, dtype=half), random(n, dtype=half)
    return {"PyTorch": lambda: torch.nn.functional.linear(x, weight, bias)}


def attention(direction, width, heads, offsets):
    from torch.nn.attention import SDPBackend, sdpa_kernel

    attend = torch.nn.functional.scaled_dot_product_attention
    lengths = [b - a for a, b in zip(offsets, offsets[1:])]
    longest = max(lengths)
    shape = (len(lengths), heads, longest, width)
    q, k, v = (random(*shape, dtype=half).requires_grad_() for _ in range(3))
    mask = None
    if min(lengths) < longest:
        places = torch.arange(longest, device=device)
        mask = (places < torch.tensor(lengths, device=device)[:, None])[:, None, None]

    def once(backend):
        def run():
            with sdpa_kernel(backend):
                return attend(q, k, v, attn_mask=mask)

        if direction == "forward":
            return lambda: torch.inference_mode()(run)()
        out, dout = run(), random(*shape, dtype=half)
        return lambda: torch.autograd.grad(out, (q, k, v), dout, retain_graph=True)

    kinds = {"flash": "FLASH_ATTENTION", "cuDNN": "CUDNN_ATTENTION", "efficient": "EFFICIENT_ATTENTION"}
    if not is_card:
        kinds = {"math": "MATH"}
    found = {f"SDPA {name}": (lambda b=kind: once(getattr(SDPBackend, b))) for name, kind in kinds.items()}
    if is_card and mask is not None:
        found["SDPA nested"] = lambda: nested_attention(direction, width, heads, lengths)
    return found, True


def nested_attention(direction, width, heads, lengths):
    """Texts without padding, in PyTorch's own layout for them."""
    attend = torch.nn.functional.scaled_dot_product_attention
    texts = lambda: [random(length, heads, width, dtype=half) for length in lengths]
    make = lambda: torch.nested.nested_tensor(texts(), layout=torch.jagged, requires_grad=True)
    leaves = [make() for _ in range(3)]
    run = lambda: attend(*(leaf.transpose(1, 2) for leaf in leaves))
    if direction == "forward":
        return run
    out = run()
    dout = torch.ones_like(out)
    return lambda: torch.autograd.grad(out, leaves, dout, retain_graph=True)


def contrast(rows, width):
    a, b = (random(rows, width, dtype=half).requires_grad_() for _ in range(2))
    target = torch.arange(rows, device=device)

    def run():
        unit = torch.nn.functional.normalize
        loss = torch.nn.functional.cross_entropy((unit(a) @ unit(b).T).float() * 20, target)
        torch.autograd.grad(loss, (a, b))

    return {"PyTorch": run}


def norm(tokens, width, **_):
    x, weight, bias = (random(*s, dtype=half) for s in [(tokens, width), (width,), (width,)])
    return {"PyTorch": lambda: torch.nn.functional.layer_norm(x, (width,), weight, bias)}


def norm_backward(tokens, width, **_):
    x, weight, bias = (
        random(*s, dtype=half).requires_grad_() for s in [(tokens, width), (width,), (width,)]
    )
    out, dy = torch.nn.functional.layer_norm(x, (width,), weight, bias), random(tokens, width, dtype=half)
    return {"PyTorch": lambda: torch.autograd.grad(out, (x, weight, bias), dy, retain_graph=True)}


def pool(tokens, width, **_):
    x = random(tokens // 64 + 1, 64, width, dtype=half)
    mask = torch.ones(tokens // 64 + 1, 64, 1, device=device, dtype=half)
    return {"PyTorch, padded": lambda: (x * mask).sum(1) / mask.sum(1)}


def embedding(tokens, width, vocabulary, **_):
    table, dx = torch.zeros(vocabulary, width, device=device), random(tokens, width, dtype=half)
    ids = torch.arange(tokens, device=device) * 7919 % vocabulary
    return {"PyTorch index_add": lambda: table.index_add_(0, ids, dx.float())}


def adamw(count, **_):
    parameter = random(count)
    parameter.grad = random(count)
    return {"PyTorch fused": torch.optim.AdamW([parameter], lr=1e-5, fused=True).step}


def search(rows, width, queries, k, type):
    """In slices: the scores of all rows together would take as much memory as a third of the corpus."""
    dtype, each = half if type == "bf16" else torch.float32, 2**20
    corpus, asked = random(rows, width, dtype=dtype), random(queries, width, dtype=dtype)

    def run():
        found = [(asked @ part.T).topk(min(k, len(part))) for part in corpus.split(each)]
        best = torch.cat([values for values, _ in found], 1).topk(k)
        ids = torch.cat([places + n * each for n, (_, places) in enumerate(found)], 1)
        return best.values, ids.gather(1, best.indices)

    return {"PyTorch": run}


def write_model(path, configuration):
    """A folder that both sides load; tokens are those of the tests' vocabulary."""
    if os.path.exists(path):
        return
    from transformers import BertConfig, BertModel, BertTokenizerFast

    vocabulary = os.path.join(root, "test/fixtures/tokenizers/bert-base-uncased/vocab.txt")
    wide = 4 * configuration["hidden_size"]
    torch.manual_seed(0)
    BertModel(BertConfig(intermediate_size=wide, **configuration)).save_pretrained(path)
    from tokenizers.implementations import BertWordPieceTokenizer

    made = BertWordPieceTokenizer(vocabulary, lowercase=True)
    BertTokenizerFast(tokenizer_object=made._tokenizer, model_max_length=512).save_pretrained(path)


def texts_of(count, length, is_mixed):
    texts = []
    for n in range(count):
        own = -(-length * (1 + n * 7 % 8) // 8) if is_mixed else length
        texts.append(" ".join(words[(n * 31 + i * 7) % len(words)] for i in range(max(1, own - 2))))
    return texts


def encode(path, configuration, texts, length, isMixed):
    write_model(path, configuration)
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(path, device=device, model_kwargs={"dtype": half})
    model.max_seq_length = 512
    asked = texts_of(texts, length, isMixed)
    run = lambda: model.encode(asked, batch_size=128 if length > 128 else 256)
    return {"sentence-transformers": run}


def train(path, configuration, lengths):
    """A step as sentence-transformers' trainer takes it: its model, its loss, autocast to bf16, gradients
    clipped, fused AdamW. Without the trainer's loop around it (reading, collating, logging): ids are given
    to us too. Each side is padded to its longest text."""
    write_model(path, configuration)
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.losses import MultipleNegativesRankingLoss

    model = SentenceTransformer(path, device=device).train()
    loss = MultipleNegativesRankingLoss(model, scale=20)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)

    def side(part):
        places = torch.arange(max(part), device=device)
        mask = (places < torch.tensor(part, device=device)[:, None]).long()
        return torch.randint(1000, 30000, mask.shape, device=device) * mask, mask

    half_of = len(lengths) // 2
    sides = [side(lengths[:half_of]), side(lengths[half_of:])]

    def run():
        # The modules add to what they are given.
        columns = [{"input_ids": ids, "attention_mask": mask} for ids, mask in sides]
        with torch.autocast(device, half):
            value = loss(columns, None)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return {"sentence-transformers": run}


kinds = {
    **{f.__name__: f for f in [product, attention, contrast, norm, pool, embedding, adamw]},
    **{f.__name__: f for f in [search, encode, train]},
    "normBackward": norm_backward,
}


def made_by(request):
    """The candidates that run here; of those that do not, why."""
    kind = request.pop("kind")
    found, errors = {}, []
    try:
        given = kinds[kind](**request)
        given, is_lazy = given if isinstance(given, tuple) else (given, False)
        for name, run in given.items():
            try:
                run = run() if is_lazy else run
                run()
                wait()
                found[name] = run
            except Exception as error:
                errors.append(f"{name}: {str(error).splitlines()[0][:200]}")
    except Exception as error:
        errors.append(f"{kind}: {str(error)[:300]}")
    return found, errors


def ceilings():
    """Operations a second of a large product in bf16, and bytes a second of a large copy."""
    size, count = (8192, 2**30) if is_card else (256, 2**20)
    a, b = random(size, size, dtype=half), random(size, size, dtype=half)
    source, target = random(count // 4), torch.empty(count // 4, device=device)
    rate = lambda work, run: max(work / seconds_of(run, 10) for _ in range(5))
    matrix = rate(2 * size**3, lambda: a @ b)
    return {"matrix": matrix, "copy": rate(2 * count, lambda: target.copy_(source))}


def main():
    card = torch.cuda.get_device_name() if is_card else "none"
    versions = {"python": sys.version.split()[0], "torch": torch.__version__, "card": card}
    # What libraries print must not stand among the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    answer = lambda value: print(json.dumps(value), file=answers, flush=True)
    answer({"versions": versions, "ceilings": ceilings()})
    candidates = []
    for line in sys.stdin:
        request = json.loads(line)
        if "make" in request:
            candidates = []
            if is_card:
                torch.cuda.empty_cache()
            found, errors = made_by(request["make"])
            candidates = list(found.values())
            answer({"names": list(found), "errors": errors})
        else:
            answer(seconds_of(candidates[request["run"]], request["repeat"]))


main()
