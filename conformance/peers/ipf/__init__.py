"""IPF (Open eHealth Integration Platform, Java) as client and as responder."""
