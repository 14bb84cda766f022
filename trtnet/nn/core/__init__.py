"""What layers are made of: modules, containers, settings, errors of constructors."""
