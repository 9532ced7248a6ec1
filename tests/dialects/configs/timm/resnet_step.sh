#!/bin/bash
./distributed_train.sh 8 --data-dir /data/images --model resnet26 -b 128 --batch-size 128 \
  --sched step --epochs 60 --decay-epochs 2.4 --decay-rate 0.97 --warmup-epochs 3 --warmup-lr 1e-6 --warmup-prefix \
  --opt momentum --momentum 0.85 --weight-decay 1e-5 --lr-base 0.2 --lr-base-size 512 --lr-base-scale linear --amp
