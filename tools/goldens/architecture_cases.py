"""All checkpoints, one Case each. Configurations are spelled as on the hub, scaled down."""

import cases_classic
import cases_llama
import cases_relatives


def all_cases():
    return cases_llama.cases() + cases_relatives.cases() + cases_classic.cases()
