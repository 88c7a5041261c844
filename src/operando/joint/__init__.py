"""Where the three instruments meet on one clock."""
