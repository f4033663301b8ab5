"""Any language model as the controller: the plug, the wire, what can fail on it, what is read from its answers."""
