export ZYC_MATRIX_RANK=64
export ZYC_VARS_EPOCHS=3
export ZYC_VARS_GREETING='it'"'"'s "so" $HOME'
