"""Training: the shipped models (`mini`), and everybody's own on their own pictures (`own`)."""
