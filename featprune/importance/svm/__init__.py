"""SVM-RFE: eliminate.py follows the path, held_out.py scores what it left out."""
