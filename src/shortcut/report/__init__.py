"""What a person looks at after a training: pictures of its curves and of its mistakes."""
