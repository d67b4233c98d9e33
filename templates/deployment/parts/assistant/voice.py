"""Speech in (faster-whisper) and out (piper): an extra; what of it is missing is told with the command that gets it."""

import importlib.util
import os
import tempfile
import wave
from pathlib import Path

RATE = 16_000  # what whisper hears
SILENCE = 1.0  # seconds after which a sentence is over
LONGEST = 30.0  # seconds of a sentence
LOUD = 0.012  # of full scale: less is silence
NEEDED = {"faster_whisper": "faster-whisper", "piper": "piper-tts", "sounddevice": "sounddevice"}
VOICES = {"fr": "fr_FR-siwis-medium", "en": "en_US-lessac-medium"}
LISTENS = "small"  # the size of whisper that is looked for


def lacks(home, language="fr"):
    """All that is missing, a line each, with how to get it; empty when the assistant can hear and speak."""
    told = []
    absent = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if absent:
        told.append(f"{', '.join(absent)}: pip install {' '.join(absent)}")
    elif (why := _without_sound()) is not None:
        told.append(f"a sound card: {why}")
    voice, ear = places(home, language)
    if not voice.is_file() or not Path(f"{voice}.json").is_file():
        name = voice.stem
        told.append(f"the voice {voice}: python -m piper.download_voices {name} --download-dir {voice.parent}")
    if not Path(ear, "model.bin").is_file():
        get = f"python -c \"import faster_whisper; faster_whisper.download_model('{LISTENS}', output_dir=r'{ear}')\""
        told.append(f"the model that listens, {ear}: {get}")
    return told


def places(home, language):
    """Where the voice and the model that listens are looked for."""
    folder = Path(os.environ.get("ASSISTANT_VOICE") or Path(home, "voice"))
    return folder / f"{VOICES.get(language, VOICES['en'])}.onnx", folder / f"whisper-{LISTENS}"


def _without_sound():
    try:
        import sounddevice
    except OSError as error:  # the package is there, its library is not
        return f"{error} (Linux: apt install libportaudio2)"
    try:
        sounddevice.query_devices(kind="input")
        sounddevice.query_devices(kind="output")
    except (sounddevice.PortAudioError, ValueError) as error:
        return f"no microphone or no loudspeaker: {error}"
    return None


class Voice:
    """Ears and a mouth."""

    def __init__(self, home, language="fr"):
        missing = lacks(home, language)
        if missing:
            raise SystemExit("error: `--voice` needs more than what is here\n" + "\n".join(f"help: {each}" for each in missing))
        import faster_whisper
        import piper

        voice, ear = places(home, language)
        self.language = language
        self.voice = piper.PiperVoice.load(str(voice))
        self.ear = faster_whisper.WhisperModel(str(ear), device="cpu", compute_type="int8")

    def hear(self):
        """The next sentence that is said, as text."""
        import numpy as np
        import sounddevice

        heard, silent, began = [], 0.0, False
        block = RATE // 10
        with sounddevice.InputStream(samplerate=RATE, channels=1, dtype="float32", blocksize=block) as stream:
            while len(heard) * block < LONGEST * RATE:
                sound = stream.read(block)[0][:, 0]
                loud = float(np.sqrt(np.mean(sound**2))) > LOUD
                began = began or loud
                silent = 0.0 if loud else silent + block / RATE
                if began:
                    heard.append(sound.copy())
                if began and silent >= SILENCE:
                    break
        return self.text_of(np.concatenate(heard))

    def text_of(self, sound):
        """What is said in 16,000 samples a second."""
        parts, _ = self.ear.transcribe(sound, language=self.language, beam_size=1)
        return " ".join(each.text.strip() for each in parts).strip()

    def wave_of(self, text, path):
        """A text as a file of sound."""
        with wave.open(str(path), "wb") as file:
            self.voice.synthesize_wav(text, file)

    def speak(self, text):
        """The text, said aloud."""
        import numpy as np
        import sounddevice

        if not text.strip():
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "said.wav")
            self.wave_of(text, path)
            with wave.open(str(path)) as file:
                sound = np.frombuffer(file.readframes(file.getnframes()), np.int16)
                sounddevice.play(sound, file.getframerate(), blocking=True)
