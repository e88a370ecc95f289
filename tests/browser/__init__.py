"""A package, so that its browser ends with it: Playwright disturbs async tests elsewhere."""
