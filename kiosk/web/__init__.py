"""The kiosk's page: one screen, served to this machine's own browser and to nobody else."""
