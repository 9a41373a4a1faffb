"""The parts of guidance_methods.py: what is compared, how it is drawn and kept, what it scores, and the page."""
