"""What the tests share. They import it as `support`; no test imports another."""
