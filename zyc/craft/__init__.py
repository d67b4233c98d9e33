"""What kinds know of their trade: shapes of models and their arithmetic, engines and settings, ways to learn, rows, chats."""
