"""How good the models and decisions are, measured on what came later."""
