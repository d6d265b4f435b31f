"""What leaves the library, in a form that survives full disks, odd encodings, readers that execute."""
