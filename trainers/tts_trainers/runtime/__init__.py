"""What every training run stands on, whatever it trains."""
