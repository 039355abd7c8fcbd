"""Checkpoints that nobody has looked at: the cases with other sizes, for a search for mistakes."""

import copy
import dataclasses
import random

from checkpoint_maker import Case

# The names of a size in one family or another.
LAYERS = ("num_hidden_layers", "n_layer")
HEADS = ("num_attention_heads", "n_head")
HIDDEN = ("hidden_size", "n_embd", "n_embed")
INNER = ("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size", "moe_intermediate_size")


def varied(case: Case, number: int) -> Case:
    """The case with sizes, storage and spelling drawn from its name and number."""
    rng = random.Random(f"{case.name} {number}")
    config = copy.deepcopy(case.config)

    def put(names, value):
        for name in names:
            if isinstance(config.get(name), int):
                config[name] = value
                return True
        return False

    grouped = isinstance(config.get("num_key_value_heads", config.get("num_kv_heads")), int)
    kv_heads = rng.choice([1, 1, 2, 3])
    heads = kv_heads * rng.choice([1, 2, 3, 4]) if grouped else rng.choice([1, 2, 3, 4, 5, 6])
    # Factors and parts of heads have lengths that belong to the head.
    keeps_head = "longrope" in str(config) or case.name.startswith("phi3")
    old_heads = next(config[n] for n in HEADS if isinstance(config.get(n), int))
    old_hidden = next(config[n] for n in HIDDEN if isinstance(config.get(n), int))
    head_dim = old_hidden // old_heads if keeps_head else 8 * rng.choice([1, 2, 3, 5])
    put(HEADS, heads)
    put(HIDDEN, heads * head_dim)
    for name in ("num_key_value_heads", "num_kv_heads"):
        if isinstance(config.get(name), int):
            config[name] = kv_heads
    if isinstance(config.get("head_dim"), int):
        config["head_dim"] = rng.choice([4, 6, 16, 20, 34])
    layers = rng.choice([1, 2, 3, 4, 5])
    put(LAYERS, layers)
    if "mlp_only_layers" in config:
        config["mlp_only_layers"] = [x for x in config["mlp_only_layers"] if x < layers]
    for name in INNER:
        if isinstance(config.get(name), int):
            config[name] = rng.randrange(9, 99)
    if isinstance(config.get("word_embed_proj_dim"), int):
        config["word_embed_proj_dim"] = rng.choice([heads * head_dim, rng.randrange(8, 50)])
    config["vocab_size"] = rng.randrange(40, 300)
    if isinstance(config.get("sliding_window"), int):
        config["sliding_window"] = rng.choice([1, 2, 5, 17, 31, 32, 33, 64])
    long = rng.choice([5, 31, 40, 65, 129, 300])
    for name in ("n_positions", "n_ctx", "max_position_embeddings"):
        if isinstance(config.get(name), int) and config[name] < long:
            config[name] = long
    return dataclasses.replace(
        case, name=f"{case.name}-{number}", config=config, edit=None, respelled={},
        dtype=rng.choice(["F32", "F16", "BF16"]), spelling=rng.choice(["hub", "new"]),
        shard=rng.choice([None, "30KB"]), mutations={}, peak=0.0, long=long, prove=False)


def cases(base: list, rounds: int) -> list:
    return [varied(case, number) for case in base for number in range(rounds)]
