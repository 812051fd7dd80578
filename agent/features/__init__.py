"""What is read off pictures and sound without a model, in numpy: the same code in training and in service."""
