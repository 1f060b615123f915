"""Results: examinations, their observations and reports, bacteriology."""
