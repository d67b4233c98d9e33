# counts what there is
python recipe/make.py in/words "$ZYC_VARS_EPOCHS" "$ZYC_MATRIX_RANK" > out/count.txt
echo "$ZYC_VARS_GREETING" >> out/count.txt
