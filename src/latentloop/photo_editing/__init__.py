"""Photo editing: change a face through its code and put it back into its photo or video."""
