"""The forms that a model goes through: measured, asked, compared, served."""
