"""sentence-transformers trains as the question says, on the same rows in the same order; or makes the small student.

    quality.py train '{"model", "data", "loss", "output", …}'     one JSON object on stdout: seconds, CPU seconds, steps
    quality.py student MODEL OUTPUT                              every other block of a model, as DistilBERT begins
"""
import contextlib
import json
import os
import resource
import sys
import time

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false")
import numpy as np
import sentence_transformers
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer import losses
from torch.nn import functional
from torch.utils.data import SequentialSampler

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


class Rows(torch.nn.Module):
    """A loss that looks up what is known of each row: its label is its place in the data."""

    def __init__(self, model, rows):
        super().__init__()
        self.model, self.rows = model, rows

    def forward(self, features, labels):
        vectors = [functional.normalize(self.model(part)["sentence_embedding"], dim=1) for part in features]
        return self.value(vectors, labels.tolist())


class MaskedRanking(Rows):
    """MultipleNegativesRankingLoss (scale 20) less the documents that a mask takes out."""

    def __init__(self, model, rows, mask, margin):
        super().__init__(model, rows)
        self.mask, self.margin = mask, margin

    def value(self, vectors, places):
        query, documents = vectors[0], torch.cat(vectors[1:])
        scores = query @ documents.T
        own = torch.eye(len(query), len(documents), dtype=torch.bool)
        scores = scores.masked_fill(self.removed(scores.detach(), places) & ~own, -torch.inf)
        return functional.cross_entropy(scores * 20, torch.arange(len(query)))

    def removed(self, scores, places):
        if self.mask == "margin":
            return scores > scores.diagonal().unsqueeze(1) - self.margin
        rows = [self.rows[place] for place in places]
        texts = [row["pos"][0] for row in rows] + [row["neg"][0] for row in rows]
        return torch.tensor([[text in (row["query"], row["pos"][0]) for text in texts] for row in rows])


class Stella(Rows):
    """10 cosine + 200 similarity + 20 triplet, as RAG-Retrieval has it."""

    def __init__(self, model, teacher):
        super().__init__(model, None)
        self.teacher = functional.normalize(torch.from_numpy(np.load(teacher)), dim=1)

    def value(self, vectors, places):
        student, teacher = vectors[0], self.teacher[places]
        cosine = (1 - (student * teacher).sum(1)).mean()
        found, wanted = student @ student.T, teacher @ teacher.T
        similarity = (found - wanted).square().mean()
        above = torch.triu_indices(len(places), len(places), 1)
        x, t = found[above[0], above[1]], wanted[above[0], above[1]]
        pairs = torch.triu_indices(len(x), len(x), 1)
        order = torch.where(t[pairs[1]] < t[pairs[0]], 1.0, -1.0)
        triplet = functional.relu(order * (x[pairs[1]] - x[pairs[0]]) + 0.015).mean()
        return 10 * cosine + 200 * similarity + 20 * triplet


class StableDistill(Rows):
    """LLM-Embedder's list-wise distillation with its shrinking denominator."""

    def __init__(self, model, rows, temperature):
        super().__init__(model, rows)
        self.temperature = temperature

    def value(self, vectors, places):
        query, count = vectors[0], len(vectors) - 1
        documents = torch.stack(vectors[1:], 1).flatten(0, 1)
        scores = query @ documents.T / self.temperature
        total = 0.0
        for n, place in enumerate(places):
            taught = torch.tensor(self.rows[place]["teacher_scores"])
            order = [0, *(1 + torch.argsort(taught[1:], descending=True, stable=True)).tolist()]
            own = scores[n, n * count + torch.tensor(order)]
            others = torch.cat([scores[n, : n * count], scores[n, (n + 1) * count :]])
            for rank, weight in enumerate(torch.softmax(taught[order], 0)):
                total = total + weight * (torch.logsumexp(torch.cat([own[rank:], others]), 0) - own[rank])
        return total / len(places)


def loss_of(asked, model, rows):
    name, options = asked["loss"], asked.get("options", {})
    if name == "infonce":
        return losses.MultipleNegativesRankingLoss(model, scale=20.0)
    if name == "cosent":
        return losses.CoSENTLoss(model, scale=20.0)
    if name == "matryoshka":
        ranking = losses.MultipleNegativesRankingLoss(model, scale=20.0)
        return losses.MatryoshkaLoss(model, ranking, matryoshka_dims=options["widths"])
    if name == "guide":
        guide = SentenceTransformer(options["guide"], device="cpu")
        guide.max_seq_length = asked["maxLength"]
        alone = {"contrast_anchors": False, "contrast_positives": False}
        return losses.GISTEmbedLoss(model, guide, temperature=0.05, margin=options["margin"], **alone)
    if name == "masked":
        return MaskedRanking(model, rows, options["mask"], options.get("margin", 0))
    if name == "stella":
        return Stella(model, options["teacher"])
    return StableDistill(model, rows, options["temperature"])


def columns_of(asked, rows):
    if asked["loss"] == "cosent":
        return {name: [row[name] for row in rows] for name in ("sentence1", "sentence2", "score")}
    if asked["loss"] == "stella":
        return {"text": [row["text"] for row in rows], "label": list(range(len(rows)))}
    columns = {"query": [row["query"] for row in rows], "pos": [row["pos"][0] for row in rows]}
    for n in range(len(rows[0].get("neg", []))):
        columns[f"neg{n}"] = [row["neg"][n] for row in rows]
    if asked["loss"] in ("masked", "stable"):
        columns["label"] = list(range(len(rows)))
    return columns


def in_order(dataset, batch_size, drop_last, **_):
    return DefaultBatchSampler(SequentialSampler(dataset), batch_size=batch_size, drop_last=drop_last)


def train(asked):
    with open(asked["data"]) as file:
        rows = [json.loads(line) for line in file]
    model = SentenceTransformer(asked["model"], device="cpu")
    model.max_seq_length = asked["maxLength"]
    if "dropout" in asked:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = asked["dropout"]
    arguments = SentenceTransformerTrainingArguments(
        output_dir=asked["output"] + ".run",
        num_train_epochs=asked["epochs"],
        per_device_train_batch_size=asked["batchSize"],
        learning_rate=asked["learningRate"],
        weight_decay=0.01,
        warmup_steps=0.1,  # a share, where below 1
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        seed=asked["seed"],
        batch_sampler=in_order,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(columns_of(asked, rows)),
        loss=loss_of(asked, model, rows),
    )
    begun, spent = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(sys.stderr):
        trainer.train()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - spent
    model.save(asked["output"])
    versions = {"torch": torch.__version__, "sentence-transformers": sentence_transformers.__version__}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "steps": trainer.state.global_step, "peak": peak, "versions": versions}))


def make_student(path, output):
    model = SentenceTransformer(path, device="cpu")
    inner = model[0].model
    inner.encoder.layer = torch.nn.ModuleList(inner.encoder.layer[::2])
    inner.config.num_hidden_layers = len(inner.encoder.layer)
    model.save(output)


if sys.argv[1] == "train":
    train(json.loads(sys.argv[2]))
else:
    make_student(*sys.argv[2:])
