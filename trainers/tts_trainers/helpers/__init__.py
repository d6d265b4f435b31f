"""The models that other strategies call: a reward model, a judge, a synthesizer."""
