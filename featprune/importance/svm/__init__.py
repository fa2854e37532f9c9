"""SVM-RFE: eliminate.py sends a machine on its road, held_out.py scores what it left out."""
