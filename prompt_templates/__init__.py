"""One jinja2 template per prompt paragraph. Data, read by `automl_gpt.agent.prompts` alone."""
