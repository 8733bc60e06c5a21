"""Exported models answer without torch: what one holds, and the engines that run it."""
