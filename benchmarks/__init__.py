"""What this project promises of its speed, measured against what it is compared with, side by side."""
