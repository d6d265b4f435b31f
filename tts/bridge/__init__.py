"""The way from synchronous code to a coroutine."""
