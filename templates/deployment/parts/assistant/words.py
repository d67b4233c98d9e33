"""What the assistant itself says, in French and in English, and the words in which a model is told how a tool ended."""

TEXTS = {
    "fr": {
        "language": "fr",
        "ok": "ok",
        "nothing": "rien",
        "declined": "refusé",
        "missing": "introuvable",
        "failed": "échec",
        "late": "trop long",
        "you": "vous",
        "hello": "{name} · {tools} outils · dossier {folder}\nÉcrivez une demande ; `/aide` montre les commandes.",
        "help": (
            "/outils   ce qui est permis\n/journal  les dernières lignes du journal\n"
            "/oublie   repart sans la conversation\n/fin      quitte"
        ),
        "wants": "{name} demande à exécuter",
        "sure": "Exécuter ? (oui/non) ",
        "critical": "C'est définitif. Pour l'exécuter, écrivez le nom de l'outil : ",
        "yes": ("oui", "o"),
        "refused": "[refusé] {what} : {why}",
        "ran": "[{tool}] {result}",
        "not_run": "[non exécuté] {what} : l'action d'avant n'a pas abouti",
        "again": "la même action a déjà été faite pour cette demande",
        "too_many": "la demande a déjà pris {steps} actions, et c'est le plus qui est permis",
        "stopped": "Je m'arrête ici : la demande a pris {steps} actions, et c'est le plus qui est permis.",
        "nothing_said": "Je n'ai rien pu en faire.",
        "cut": "[le contexte de {context} jetons ne suffit pas : {what}]",
        "turns": "{n} échange(s) plus ancien(s) laissé(s) de côté",
        "passages": "{n} note(s) laissée(s) de côté",
        "shots": "{n} exemple(s) laissé(s) de côté",
        "results": "un résultat raccourci",
        "too_long": "La demande est trop longue : avec les consignes elle prend {needed} jetons sur {context}. Raccourcissez-la.",
        "timer": "[minuteur] {label}",
        "no_app": "aucune application de ce nom : ajoutez-la à {path}",
        "bye": "Au revoir.",
        "unknown": "Commande inconnue. `/aide` les montre.",
    },
    "en": {
        "language": "en",
        "ok": "ok",
        "nothing": "nothing",
        "declined": "declined",
        "missing": "not found",
        "failed": "failed",
        "late": "took too long",
        "you": "you",
        "hello": "{name} · {tools} tools · folder {folder}\nWrite a request; `/help` shows the commands.",
        "help": (
            "/tools   what is allowed\n/log     the last lines of the log\n"
            "/forget  goes on without the conversation\n/end     leaves"
        ),
        "wants": "{name} asks to run",
        "sure": "Run it? (yes/no) ",
        "critical": "This cannot be taken back. To run it, type the name of the tool: ",
        "yes": ("yes", "y"),
        "refused": "[refused] {what}: {why}",
        "ran": "[{tool}] {result}",
        "not_run": "[not run] {what}: the action before it did not succeed",
        "again": "the same action was already done for this request",
        "too_many": "the request has taken {steps} actions already, which is the most",
        "stopped": "I stop here: the request has taken {steps} actions, which is the most.",
        "nothing_said": "I could make nothing of it.",
        "cut": "[a context of {context} tokens is not enough: {what}]",
        "turns": "{n} earlier turn(s) left out",
        "passages": "{n} note(s) left out",
        "shots": "{n} example(s) left out",
        "results": "a result shortened",
        "too_long": "The request is too long: with the instructions it takes {needed} of {context} tokens. Make it shorter.",
        "timer": "[timer] {label}",
        "no_app": "no application of that name: add it to {path}",
        "bye": "Goodbye.",
        "unknown": "No such command. `/help` shows them.",
    },
}
COMMANDS = {
    "/aide": "help", "/help": "help", "/outils": "tools", "/tools": "tools", "/journal": "log", "/log": "log",
    "/oublie": "forget", "/forget": "forget", "/fin": "end", "/end": "end",
}  # fmt: skip


def words(language):
    """The table of a language."""
    if language not in TEXTS:
        raise SystemExit(f"error: no words in `{language}`: there are {', '.join(TEXTS)}")
    return TEXTS[language]
