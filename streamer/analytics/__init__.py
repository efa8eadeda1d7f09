"""What is made of detections: analyzers, which the pipeline calls with every frame. Nothing heavy is imported here."""
