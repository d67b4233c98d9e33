"""A gateway before llama-server: OpenAI's API with keys, limits, a queue, personas, counts and logs; without zyc."""
