"""What trainings will come to: before they begin, while they run, for the whole run; and what follows from it."""
