"""Answers and reference texts -> BLEU, chrF and ROUGE-L, each as a share."""

from asked import chat
from sampler import answer


def look(asked):
    """What makes the task impossible, told before the model is opened."""
    if not asked:
        raise SystemExit("error: no row asks anything")
    empty = next((each.id for each in asked if not each.expected.strip()), None)
    if empty is not None:
        raise SystemExit(f"error: question {empty} has no reference text")


def answered(engine, asked, at, scores):
    """Ask one question."""
    ids = engine.ids(engine.render(chat(asked), asked.prompt.get("arguments")))
    if len(ids) >= engine.context:
        raise SystemExit(f"error: question {asked.id} has {len(ids):,} tokens, and the model sees {engine.context:,}")
    made = answer(engine, ids, asked.prompt.get("sampling"), draw=at)
    row = {"id": asked.id, "question": asked.messages[-1]["content"], "expected": asked.expected, "answer": made.text}
    return {**row, "tokens": made.tokens, "cut": made.cut, "scores": alone(row, scores)}


def alone(row, scores):
    """One answer by itself: all of them together have other scores than the mean of these."""
    told = {}
    if "bleu" in scores:
        from sacrebleu import sentence_bleu

        told["bleu"] = sentence_bleu(row["answer"], [row["expected"]]).score / 100
    if "chrf" in scores:
        from sacrebleu import sentence_chrf

        told["chrf"] = sentence_chrf(row["answer"], [row["expected"]]).score / 100
    if "rouge" in scores:
        told["rouge"] = rouge(row)
    return told


def scored(rows, scores):
    """All answers together for BLEU and chrF, their mean for ROUGE-L."""
    said, wanted, told = [row["answer"] for row in rows], [row["expected"] for row in rows], {}
    if "bleu" in scores:
        from sacrebleu import corpus_bleu

        told["bleu"] = corpus_bleu(said, [wanted]).score / 100
    if "chrf" in scores:
        from sacrebleu import corpus_chrf

        told["chrf"] = corpus_chrf(said, [wanted]).score / 100
    if "rouge" in scores:
        told["rouge"] = sum(rouge(row) for row in rows) / len(rows)
    return told


def rouge(row):
    """ROUGE-L of one answer; words of any script, not only those of a to z."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], tokenizer=Words())
    return scorer.score(row["expected"], row["answer"])["rougeL"].fmeasure


class Words:
    """Cuts at spaces, without case; the usual one drops every letter with an accent."""

    def tokenize(self, text):
        """Words."""
        return text.casefold().split()
